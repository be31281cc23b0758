import math
from typing import Any

import pytest

from ordered_pipeline.voice import Prefetch, SpeechPolicy


def test_a_prefetch_has_limits_where_none_are_given() -> None:
    assert Prefetch() == Prefetch(2, math.inf, math.inf, None)
    assert Prefetch.auto() == Prefetch(2, math.inf, math.inf, 6)
    assert Prefetch.auto(least=1, most=3, audio_s=4.0, characters=200) == Prefetch(1, 4.0, 200, 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"segments": 0},
            ValueError,
            "segments must be at least 1, got 0; use segments=1 to synthesise one after",
        ),
        ({"segments": 2.0}, TypeError, "segments must be a whole number, got 2.0"),
        ({"segments": True}, TypeError, "segments must be a whole number, got True"),
        ({"audio_s": 0}, ValueError, "audio_s must be above 0, got 0; leave it out for no limit"),
        ({"audio_s": math.nan}, ValueError, "audio_s must be above 0, got nan"),
        ({"audio_s": "1"}, TypeError, "audio_s must be a number, got '1'"),
        ({"characters": -1}, ValueError, "characters must be above 0, got -1"),
        (
            {"segments": 3, "segments_at_most": 2},
            ValueError,
            "segments_at_most must be at least segments=3, got 2",
        ),
        ({"segments_at_most": 0}, ValueError, "segments_at_most must be at least 1, got 0"),
    ],
)
def test_a_bound_that_is_none_is_told(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        Prefetch(**options)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"first_audio_s": 0}, ValueError, "first_audio_s must be above 0, got 0; use math.inf for no limit"),
        ({"segment_s": -1.0}, ValueError, "segment_s must be above 0, got -1.0"),
        ({"tries": 0}, ValueError, "tries must be at least 1, got 0; use tries=1 to ask each voice once"),
        (
            {"hedge_after_s": 0},
            ValueError,
            "hedge_after_s must be above 0, got 0; leave it out for one request",
        ),
        ({"on_failure": "cry"}, ValueError, "on_failure must be 'skip', 'stop' or 'filler', got 'cry'"),
        (
            {"on_failure": "filler"},
            ValueError,
            "filler must be what is to be spoken, got ''; use on_failure='skip'",
        ),
        ({"fallback": 1}, TypeError, "fallback must be a tuple of voices, got 1; write (voice,) for one"),
        ({"fallback": ("nova",)}, TypeError, "fallback must be a voice, got 'nova'; make one of a function"),
        ({"on_failure": "filler", "filler": " "}, ValueError, "filler must be what is to be spoken, got ' '"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_told(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        SpeechPolicy(**options)
    assert str(raised.value).startswith(message)


def test_a_policy_may_have_no_limits() -> None:
    policy = SpeechPolicy(first_audio_s=math.inf, segment_s=math.inf, tries=1)

    assert (policy.hedge_after_s, policy.fallback, policy.on_failure) == (None, (), "skip")
