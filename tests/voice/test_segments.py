# ruff: noqa: RUF001  # stops and quotes are meant as they stand

import math
from typing import Any, cast

import pytest

from ordered_pipeline.voice import SentenceSplitter


def splitter(language: str | None = None) -> SentenceSplitter:
    """Make one that gives plain sentences."""
    return SentenceSplitter(language=language, first_clause_characters=math.inf, shortest=1)


def split(*deltas: str, language: str | None = None) -> list[str]:
    cutter = splitter(language)
    return [segment for delta in deltas for segment in cutter.push(delta)] + cutter.flush()


def held(text: str, language: str | None = None) -> tuple[str, list[str]]:
    cutter = splitter(language)
    cutter.push(text)
    return cutter.pending, cutter.release()


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["Hello there.", " How are you?", " Fine!"],
        ["Dr. Smith paid 3.14 dollars to J. R. Jones.", " He left."],
        ["Mr. and Mrs. Bean vs. St. Paul, e.g. twice.", " Done."],
        ["It costs $2.50, v1.2.3 does, at www.example.com or me@example.com.", " Yes."],
        ["At 5 p.m. today.", " At 5 p.m.", " Then it rains."],
        ["It opens at 9 a.m. Monday to Friday.", " Come by."],
        ["Cars, bikes, etc. are here.", " Cars, bikes, etc.", " Then more."],
        ["No. 5 is alive.", " No.", " Never."],
        ["See vol. XX of it.", " See vol.", " Then more."],
        ["The U.S. Army bought it.", " He is from the U.S.", " She is not."],
        ["World War II. is over.", " World War II.", " Then peace."],
        ["It was 1999.", " Then came 2000."],
        ["I have 2.", " You have 3."],
        ['He said "Stop."', ' Then "Go!" he cried.', " (A note.)", " Next."],
        ["“Really?”", " ‘Yes.’", " «Non!»", " „Ja.“", " »Nein.«", " End."],
        ["« Vraiment ? »", " Oui."],
        ["«\xa0Arrête\xa0!\xa0» cria-t-il.", " Fini."],
        ["This is a fact.[1]", " [Read this.](https://example.com/a.b)", " So."],
        ["Well... maybe.", " Wait...", " Yes… no…", " Then."],
        ["Really?!", " What!!!", " So."],
        ["1. Mix the flour.", " 2. Bake it.", " a. or not."],
        ["It was I.", " Who else?"],
        ["Sure.", "Here it is.", " Done!", "Next."],
        ["Write to J.Smith@example.com or see node.Js/docs.", " Yes."],
        ["No stop at all"],
        ["Great 😀!", " Yes.", " Thanks!😊", " I like it 😍", " Good 😀 too.", " I ❤️ Rome."],
    ],
)
def test_sentences_are_cut_where_they_end(sentences: list[str]) -> None:
    text = "".join(sentences)

    assert split(text) == sentences
    assert split(*text) == sentences


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("de", ["Er kommt z. B. am 3. Oktober, d. h. bald.", " Im 19. Jahrhundert nicht."]),
        ("de", ["Das war 1999.", " Heute nicht."]),
        ("en-GB", ["I am 5.", " October is near."]),
        ("fr", ["Le Dr. Moreau, né en 300 av. J.-C. à Athènes, est là.", " Bien."]),
        ("el", ["Τι κάνετε;", " Καλά."]),
        ("hy", ["Գինը 3.5 դոլար է:", " Լավ։", " Այո։"]),
        ("zh", ["你好。", "我很好！", "「是。」", "我说：“去。”", "好", "\n- 一", "\n- 二"]),
        ("ja", ["「行くの？」と聞いた。", "はい。"]),
        ("ar", ["كيف حالك؟", " د. أحمد هنا."]),
        ("ur", ["سب ٹھیک۔", " شکریہ۔"]),
        ("hi", ["डॉ. वर्मा आए।", " हाँ!"]),
        ("am", ["ሰላም።", " ደህና ነኝ።"]),
        ("my", ["သွားမယ်။", "သူလည်း သွားမယ်။"]),
        ("th", ["สวัสดีครับ", " ราคา 3.50 บาทค่ะ", " ขอบคุณ"]),
        ("xx", ["Le Dr. Moreau kommt am 3. Oktober.", " Ok."]),
    ],
)
def test_a_language_is_cut_by_its_own_rules(language: str, sentences: list[str]) -> None:
    text = "".join(sentences)

    assert split(text, language=language) == sentences
    assert split(*text, language=language) == sentences


@pytest.mark.parametrize(
    "segments",
    [
        ["A title", "\n\nIts text.", "\n\nMore", "\n \nand more"],
        ["# Title", "\nSome text.", "\n## 1. Next", "\nMore."],
        ["You need:", "\n- two eggs", "\n- a lot\n  of milk", "\n- flour"],
        ["1. One", "\n2. Two", "\n\nDone"],
        ["The quick brown\nfox jumps\n1990 times.", " It rests."],
        ["| Name | Price |", "\n|---|---|", "\n| A. B. | 2.50 |", "\n\nThat is all."],
        ["Look:", "\n\n```js\nfoo(); // Why? Because.\nbar();\n```", "\n\nDone."],
        ["~~~\nNo. Yes.\n```\nMaybe.\n~~~", "\nSo."],
        ["Use `a. B. c` here.", " Use ``x = `1. ` `` there.", " A ` alone.", " Yes."],
        ["**Step 1.** Open it.", " This is **important.**", " Do it."],
    ],
)
def test_markdown_is_cut_by_its_blocks_and_not_inside_code(segments: list[str]) -> None:
    text = "".join(segments)

    assert split(text) == segments
    assert split(*text) == segments


def test_inline_code_of_up_to_a_hundred_characters_stays_whole_however_it_comes() -> None:
    code, too_long = (f"Use `{'a. B' * 20}{'c' * rest}` here." for rest in (19, 20))

    assert [split(code), split(*code)] == [[code], [code]]
    assert split(too_long)[0] == split(*too_long)[0] == "Use `a."


# ---------------------------------------------------------------- what is waited for


def test_a_sentence_goes_out_with_the_white_space_after_its_stop() -> None:
    cutter = splitter()

    assert cutter.push("Hello") == []
    assert cutter.push(" there.") == []
    assert cutter.push("\n") == ["Hello there."]


def test_a_stop_that_may_not_be_the_end_waits_for_the_next_character() -> None:
    cutter = splitter()

    assert cutter.push("Well... ") == []
    assert cutter.push("Yes") == ["Well..."]


def test_what_is_left_at_the_end_goes_out_as_it_is() -> None:
    assert split("One. ", "Two", "\n") == ["One.", " Two\n"]
    assert split("One.\n") == ["One.", "\n"]
    assert split("In the U.S. She") == ["In the U.S.", " She"]
    assert split("") == []


def test_a_flushed_splitter_takes_a_new_text() -> None:
    cutter = SentenceSplitter()
    cutter.push("```\nOne. Two")
    cutter.flush()

    assert cutter.pending == "nothing"
    assert cutter.push("One. Two. ") == ["One."]


@pytest.mark.parametrize(
    "text", ["Hello there.", "Is it?", "No!", 'He said "Go."', "Ok. “Yes.”", "你好。", "- item\n"]
)
def test_a_stop_that_very_likely_ends_a_sentence_says_so(text: str) -> None:
    assert held(text)[0] == "ended"


@pytest.mark.parametrize(
    "text",
    [
        *["Dr.", "It costs 3.", "I mean e.g.", "1.", "In the U.S.", "See www.", "See docs.example."],
        *["Das gilt z.", "Das gilt z. B.", "Ask J.", "At 5 p.m.", "Cats, etc.", "Well...", "Well…"],
        *["me@example.", "https://a.example/b?", "Hello", "`a.", "I like it 😍 ", "« Vraiment ?"],
    ],
)
def test_a_text_that_likely_goes_on_is_open(text: str) -> None:
    assert held(text)[0] == "open"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "One. "])
def test_white_space_alone_is_nothing(text: str) -> None:
    assert held(text) == ("nothing", [])


# ---------------------------------------------------------------- release


@pytest.mark.parametrize(
    ("text", "released"),
    [
        ("Hello there.", ["Hello there."]),
        ("- item\n", ["- item"]),
        ("Hello wor", ["Hello"]),
        ("Hello world ", ["Hello world"]),
        ("Well... ", ["Well..."]),
        ("It costs 3.", ["It costs"]),
        ("I saw Dr. ", ["I saw"]),
        ("Dr. ", []),
        ("Hello", []),
        ("今天，天气", ["今天，"]),
        ("今天天气", []),
    ],
)
def test_a_release_gives_a_likely_sentence_or_the_words_that_are_whole(
    text: str, released: list[str]
) -> None:
    cutter = splitter()
    cutter.push(text)

    given = cutter.release()

    assert given == released
    assert "".join(given + cutter.flush()) == text


def test_what_follows_a_release_is_cut_as_if_nothing_had_happened() -> None:
    cutter = splitter()
    cutter.push("He said “Stop.")

    assert cutter.release() == ["He said “Stop."]
    assert cutter.pending == "nothing"
    assert cutter.push("” Then he left. So") == ["” Then he left."]
    assert cutter.release() == []
    assert cutter.push(" it ") == []
    assert cutter.release() == [" So it"]
    assert cutter.push("costs 3. Really?") == [" costs 3."]


def test_a_number_that_a_release_left_at_the_start_is_no_list_number() -> None:
    cutter = splitter("en")
    cutter.push("It is a 3.")

    assert cutter.release() == ["It is a"]
    assert cutter.push(" Yes. ") == [" 3.", " Yes."]


@pytest.mark.parametrize("text", ["Yes.", "Yes. "])
def test_a_short_sentence_that_waits_for_the_next_is_open_and_can_be_released(text: str) -> None:
    cutter = SentenceSplitter(shortest=8)
    cutter.push("Sure! ")
    cutter.push(text)

    assert cutter.pending == "open"
    assert cutter.release() == [" Yes."]
    assert cutter.push("\n1. Mix the flour. ") == [
        "\n1. Mix the flour." if text == "Yes." else " \n1. Mix the flour."
    ]


# ---------------------------------------------------------------- limits


def test_the_first_segment_may_be_a_clause_and_later_ones_are_not() -> None:
    cutter = SentenceSplitter(first_clause_characters=10)

    assert cutter.push("Well, thanks for calling, ") == ["Well, thanks for calling,"]
    assert cutter.push("how are you today, my friend? ") == [" how are you today, my friend?"]
    assert cutter.push("Tell me, please, how are ") == []


def test_a_short_sentence_joins_the_next_one_unless_it_is_the_first() -> None:
    cutter = SentenceSplitter(shortest=8)

    assert cutter.push("Sure! ") == ["Sure!"]
    assert cutter.push("Yes. ") == []
    assert cutter.pending == "open"
    assert cutter.push("1. Mix it. ") == [" Yes. 1. Mix it."]
    assert cutter.push("\n- a\n- bc\n\nThat is all. ") == [" \n- a\n- bc", "\n\nThat is all."]


def test_a_text_without_stops_is_cut_after_a_clause_or_between_words() -> None:
    assert [len(segment) for segment in split("word " * 150)] == [299, 300, 151]
    assert [segment[:5] for segment in split("word " * 150)] == ["word ", " word", " word"]
    assert [len(segment) for segment in split("字" * 100 + "，" + "字" * 300)] == [101, 300]
    assert [len(segment) for segment in split("y" * 700)] == [300, 300, 100]


def test_one_endless_word_is_not_cut_inside_what_reads_as_one_character() -> None:
    family = "👩\u200d👩\u200d👧"
    cutter = SentenceSplitter(longest=9)

    assert cutter.push(f"yyyyyyy{family}z") == ["yyyyyyy"]
    assert cutter.flush() == [f"{family}z"]
    assert SentenceSplitter(longest=3).push("cafe\u0301") == ["caf"]
    assert SentenceSplitter(longest=3).push("🇩🇪🇩🇪") == ["🇩🇪"]
    assert SentenceSplitter(longest=2).push("e\u0301\u0302\u0303") == ["e\u0301"]


@pytest.mark.parametrize("name", ["first_clause_characters", "shortest", "longest"])
def test_a_limit_below_one_is_refused(name: str) -> None:
    limits: dict[str, Any] = {name: 0}

    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got 0$"):
        SentenceSplitter(**limits)


def test_a_language_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^language must be a code such as 'de', got 49$"):
        SentenceSplitter(language=cast("Any", 49))
