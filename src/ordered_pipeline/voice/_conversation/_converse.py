"""The entry: what a conversation is made of, and what it refuses."""

from collections.abc import AsyncIterable, Callable, Sequence

from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.voice._conversation._conversation import Conversation
from ordered_pipeline.voice._conversation._speaking import Services
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._policy import Prefetch, SpeechPolicy
from ordered_pipeline.voice._reply import speak
from ordered_pipeline.voice._roles import (
    LanguageModel,
    Player,
    SpeechToText,
    TextToSpeech,
    VoiceActivityDetector,
)
from ordered_pipeline.voice._segments import SentenceSplitter
from ordered_pipeline.voice._talk import Message


def converse(
    audio: AsyncIterable[bytes],
    *,
    audio_format: AudioFormat,
    stt: SpeechToText,
    llm: LanguageModel,
    tts: TextToSpeech,
    player: Player,
    vad: VoiceActivityDetector | None = None,
    history: Sequence[Message] = (),
    greeting: str = "",
    apology: str = "",
    barge_in: bool = True,
    splitter: Callable[[], SentenceSplitter] = SentenceSplitter,
    prefetch: Prefetch = Prefetch(),  # noqa: B008  # frozen
    policy: SpeechPolicy = SpeechPolicy(),  # noqa: B008  # as above
    grace_s: float = 1.0,
) -> Conversation:
    """Talk with a caller: what he says is answered, turn after turn, until his audio is over.

    When speech-to-text says that his turn is over, the language model is asked, with all that was said and
    heard, and its reply is spoken as `speak` does. If it says before that his turn is likely to be over, the
    reply is prepared, and heard as soon as that is sure. While a reply is on its way or sounds, his speech
    interrupts it; the history keeps what he heard.

    A reply of which nothing was heard leaves no trace in the history, and what the caller says next continues
    his message. A service that fails is told, and the conversation goes on: speech-to-text is asked anew,
    at growing intervals; a voice activity detector is done without; a reply ends, and the next one may do
    better.

    Args:
        audio: The caller's audio, in frames of any size, at the pace at which he speaks. The conversation
            owns its iterator, and closes it. While a service that listens lags by more than some seconds, no
            frame is read.
        audio_format: Its format, no container, which must be the one that *stt* and *vad* take.
        stt: Speech-to-text. It gets all the audio, in one request as long as it does not fail.
        llm: The language model. It gets the history, which ends with the caller's message.
        tts: The voice.
        player: Where the replies go.
        vad: A voice activity detector, which may notice sooner than *stt* that the caller speaks.
        history: What was said before, system messages included.
        greeting: What is spoken first, if anything. It can be interrupted as any reply.
        apology: What is spoken in the place of a reply that fails before anything of it was heard, unless it
            is the player that failed.
        barge_in: Whether the caller can interrupt a reply that sounds. If not, the services that listen get
            silence while it does: for a loudspeaker that the microphone hears.
        splitter: Makes what cuts the text of a reply.
        prefetch: As for `speak`.
        policy: As for `speak`.
        grace_s: Clean-up time of whatever is cancelled, in seconds above 0. An interruption waits four times
            as long for a player that does not answer.

    Returns:
        The conversation, to be entered.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has the wrong value, or the player takes nothing that the voice's audio can be
            converted to.
        ModuleNotFoundError: The voice's audio must be converted, and the package for it is not installed.
    """
    check_kind("audio", audio, AsyncIterable, "an async iterable of bytes")
    check_kind("audio_format", audio_format, AudioFormat, "an AudioFormat")
    if audio_format.is_container:
        raise ValueError(f"audio_format must be no container, got {audio_format!r}; decode the audio first")
    for name, service, method in (("stt", stt, "transcribe"), ("llm", llm, "reply"), ("vad", vad, "detect")):
        if service is not None and not hasattr(service, method):
            raise TypeError(f"{name} must have a method {method!r}, got {service!r}")
    for name, ears in (("stt", stt), ("vad", vad)):
        # Not part of the roles, but those who take one format only say which.
        taken = getattr(ears, "format", audio_format)
        if taken != audio_format:
            raise ValueError(
                f"audio_format must be what {name} takes, {taken!r}, got {audio_format!r}; "
                "convert the audio with convert_audio"
            )
    for message in history:
        check_kind("history", message, Message, "messages")
    check_kind("greeting", greeting, str, "text")
    check_kind("apology", apology, str, "text")
    # What each reply would refuse is refused now.
    speak(greeting, tts=tts, player=player, prefetch=prefetch, policy=policy, grace_s=grace_s)
    services = Services(
        llm=llm,
        tts=tts,
        player=player,
        greeting=greeting,
        apology=apology,
        splitter=splitter,
        prefetch=prefetch,
        policy=policy,
        grace_s=grace_s,
    )
    return Conversation(
        audio,
        audio_format,
        stt=stt,
        vad=vad,
        services=services,
        history=tuple(history),
        barge_in=barge_in,
    )
