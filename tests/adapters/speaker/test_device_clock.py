import pytest

from ordered_pipeline.adapters.speaker._device_clock import DeviceClock

RATE_HZ = 1000
PERIOD = 150


def asked(clock: DeviceClock, count: int, *, first: int = 0, late_s: float = 0.0) -> None:
    """Let the device ask as one does that starts at 10 s: at once twice, then whenever it has played."""
    for index in range(first, first + count):
        clock.asked(index * PERIOD, 10.0 + max(0, index - 1) * PERIOD / RATE_HZ + late_s)


def test_the_first_sample_sounds_when_the_device_is_started() -> None:
    clock = DeviceClock(RATE_HZ, start_s=10.0)

    asked(clock, 3)

    assert (clock.time_of(0), clock.time_of(500)) == (10.0, 10.5)
    assert [clock.position_at(now_s) for now_s in (9.0, 10.0, 10.5)] == [0, 0, 500]


def test_a_device_that_keeps_time_moves_nothing() -> None:
    clock = DeviceClock(RATE_HZ, start_s=10.0)

    asked(clock, 100)

    assert clock.time_of(500) == 10.5


def test_requests_that_come_late_now_and_then_move_nothing() -> None:
    clock = DeviceClock(RATE_HZ, start_s=10.0)

    for index in range(100):
        asked(clock, 1, first=index, late_s=0.0 if index % 10 == 0 else 0.1)

    assert clock.time_of(500) == 10.5


def test_a_device_that_asks_later_than_it_was_started_began_then() -> None:
    clock = DeviceClock(RATE_HZ, start_s=9.8)

    asked(clock, 100)

    assert clock.time_of(500) == 10.5


def test_a_device_that_has_played_all_it_had_is_known_to_have_stood_still() -> None:
    clock = DeviceClock(RATE_HZ, start_s=10.0)
    asked(clock, 50)

    # It had sound until 17.5.
    starved = [
        clock.asked(position, now_s) for position, now_s in [(7500, 18.0), (7650, 18.05), (7800, 18.2)]
    ]

    assert starved == [True, False, False]
    assert clock.time_of(7500) == 18.0
    assert clock.position_at(18.1) == 7600


@pytest.mark.parametrize("stood_still_s", [0.5, 3600.0])
def test_a_device_that_stood_still_is_followed(stood_still_s: float) -> None:
    clock = DeviceClock(RATE_HZ, start_s=10.0)

    asked(clock, 50)
    asked(clock, 16, first=50, late_s=stood_still_s)

    assert clock.time_of(500) == pytest.approx(10.5 + stood_still_s)


@pytest.mark.parametrize("rate", [0.9999, 1.0001])
def test_a_device_with_another_idea_of_a_second_is_followed(rate: float) -> None:
    """An hour at a hundred parts in a million: 0.36 s."""
    clock = DeviceClock(RATE_HZ, start_s=0.0)
    for index in range(24_000):
        clock.asked(index * PERIOD, max(0, index - 1) * PERIOD / RATE_HZ * rate)

    assert clock.time_of(3_600_000) == pytest.approx(3600 * rate, abs=0.03)
