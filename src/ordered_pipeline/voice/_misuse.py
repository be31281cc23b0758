"""What the voice layer refuses, and how it is said.

Values are cut off in messages: of audio, more would tell no more, and fill logs and timelines.
"""

from collections.abc import AsyncIterable, Iterable

from ordered_pipeline.voice._audio import AudioFormat


def check_count(name: str, value: object, way_out: str) -> None:
    """Check that *value* is a whole number of at least 1.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is less.
    """
    if type(value) is not int:
        raise TypeError(f"{name} must be a whole number, got {value!r}; {way_out}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value!r}; {way_out}")


def check_positive(name: str, value: object, way_out: str) -> None:
    """Check that *value* is a number above 0.

    Raises:
        TypeError: It is no number.
        ValueError: It is not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}; {way_out}")
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}; {way_out}")


def check_kind(name: str, value: object, kind: type | tuple[type, ...], what: str, way_out: str = "") -> None:
    """Check that *value* is of a *kind*, which is said as *what*.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {what}, got {value!r:.200}" + (f"; {way_out}" if way_out else ""))


def check_source(source: object) -> None:
    """Check that *source* is text or gives text, and is not what one awaits or calls for it.

    Raises:
        TypeError: It is not.
    """
    what = "text or an iterable of text"
    # A future can be iterated, too, and a finished one gives nothing.
    if hasattr(source, "__await__") and not hasattr(source, "__aiter__"):
        raise TypeError(f"source must be {what}, got {source!r:.200}; await it first")
    if isinstance(source, bytes | bytearray):
        raise TypeError(f"source must be {what}, got {source!r:.200}; decode it first")
    way_out = "call it first" if callable(source) else ""
    check_kind("source", source, (AsyncIterable, Iterable), what, way_out)


def check_voice(name: str, voice: object) -> None:
    """Check that *voice* has what is asked of a voice before it speaks.

    Raises:
        TypeError: It has not.
    """
    if not hasattr(voice, "synthesize"):
        raise TypeError(f"{name} must be a voice, got {voice!r:.200}; make one of a function with tts_from")
    check_kind(f"the format of {name}", getattr(voice, "format", None), AudioFormat, "an AudioFormat")


def check_playback(playback: object) -> None:
    """Check that *playback*, which a player gave, can be waited for.

    Raises:
        TypeError: It cannot.
    """
    if not hasattr(playback, "finished"):
        raise TypeError(
            f"the player's 'play' must return a Playback, got {playback!r:.200}; "
            "make a player of a function with player_from"
        )
