from ordered_pipeline.testing._telnyx._agenda import Agenda


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_deeds_run_at_their_own_instants_however_late_it_is() -> None:
    clock = Clock()
    agenda = Agenda(clock)
    agenda.catch_up()
    done: list[tuple[str, float]] = []
    for name, time_s in (("b", 2.0), ("a", 1.0), ("c", 2.0), ("d", 9.0)):
        agenda.at(time_s, lambda name=name: done.append((name, agenda.now_s)))  # type: ignore[misc]

    clock.now_s = 5.0
    agenda.catch_up()

    assert done == [("a", 1.0), ("b", 2.0), ("c", 2.0)]
    assert (agenda.now_s, agenda.next_s) == (5.0, 9.0)


def test_what_is_put_down_for_the_past_is_for_now() -> None:
    clock = Clock()
    clock.now_s = 3.0
    agenda = Agenda(clock)
    agenda.catch_up()
    done: list[float] = []

    agenda.at(1.0, lambda: done.append(agenda.now_s))
    agenda.catch_up()

    assert done == [3.0]


def test_a_deed_that_catches_up_is_finished_before_the_next_one() -> None:
    clock = Clock()
    agenda = Agenda(clock)
    agenda.catch_up()
    done: list[str] = []

    def first() -> None:
        agenda.catch_up()
        done.append("first")

    agenda.at(1.0, first)
    agenda.at(2.0, lambda: done.append("second"))
    clock.now_s = 5.0
    agenda.catch_up()

    assert done == ["first", "second"]


def test_it_tells_when_something_comes_before_all_else() -> None:
    agenda = Agenda(Clock())
    agenda.catch_up()
    told: list[float] = []
    agenda.on_earlier = lambda: told.append(agenda.next_s)

    agenda.at(2.0, lambda: None)
    agenda.at(3.0, lambda: None)
    agenda.at(1.0, lambda: None)

    assert told == [2.0, 1.0]


def test_nothing_happens_after_its_end() -> None:
    clock = Clock()
    agenda = Agenda(clock)
    agenda.catch_up()
    done: list[str] = []
    agenda.at(1.0, lambda: done.append("deed"))

    agenda.end()
    clock.now_s = 5.0
    agenda.catch_up()

    assert done == []
