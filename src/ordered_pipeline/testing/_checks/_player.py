"""The promises of a player."""

import math
from dataclasses import dataclass
from typing import Final

import anyio

from ordered_pipeline import in_order
from ordered_pipeline.testing._checks._broken import ContractBroken, expect_type, within
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    Clip,
    Playback,
    PlaybackResult,
    Player,
    PlayerCapabilities,
    Segment,
)
from ordered_pipeline.wire._wav import wav_header

# One byte of silence in each encoding.
_SILENCE: Final = {"s16le": b"\0", "wav": b"\0", "mulaw": b"\xff", "alaw": b"\xd5"}
# A clip that is heard to its end, and one that is cleared long before.
_CLIP_S: Final = 0.5
_LONG_CLIP_S: Final = 30.0
_CHUNK_S: Final = 0.125
_CLIPS: Final = 3
# How long a call of `play` may take before something else is tried.
_PATIENCE_S: Final = 2.0
# How far clocks and devices may be apart: less than a listener notices.
_ERROR_S: Final = 0.05
# A play call that returns so shortly before the end of the sound has waited for it.
_FRAME_S: Final = 0.02


async def check_player(
    player: Player, audio_format: AudioFormat, *, within_s: float = 30.0, clear_s: float = 5.0
) -> None:
    """Check that a player keeps the promises of `~ordered_pipeline.voice.Player`.

    It plays a few seconds of silence. Clips are accepted before they are over and sound in order,
    positions grow, ``clear`` ends what sounds and what waits, and the player plays on after that, after
    an empty clip, and after a cancelled call.

    Args:
        player: The player. Nobody else uses it meanwhile.
        audio_format: What to give it: samples, or ``"wav"``.
        within_s: How long a clip of half a second may take from the call to the end of its sound, in seconds.
        clear_s: How long it may take to be silent, in seconds.

    Raises:
        ContractBroken: It does not keep one of them.
        ValueError: The format is none of those, or the player does not take it.
        Exception: What the player fails with.
    """
    capabilities = player.capabilities
    expect_type(capabilities, PlayerCapabilities, "capabilities")
    if capabilities.formats and audio_format not in capabilities.formats:
        raise ValueError(f"audio_format must be one of {capabilities.formats!r}, got {audio_format!r}")
    if audio_format.encoding not in _SILENCE:
        raise ValueError(f"audio_format must be one of {[*_SILENCE]!r}, got {audio_format.encoding!r}")
    check = _Check(player, audio_format, within_s, clear_s)
    await check.clear()
    await check.one_clip()
    await check.order()
    await check.empty_clip()
    await check.early_end()
    await check.clearing()
    await check.cancelled_call()
    await check.one_clip()


@dataclass(frozen=True, slots=True)
class _Check:
    player: Player
    format: AudioFormat
    within_s: float
    clear_s: float

    @property
    def error_s(self) -> float:
        return _ERROR_S + self.player.capabilities.position_error_s

    def clip(self, length_s: float, index: int = 0) -> Clip:
        """Return a clip of silence, all of it there."""
        clip = Clip(Segment(index, "Silence."), self.format, self.chunks(length_s))
        clip.end()
        return clip

    def chunks(self, length_s: float) -> list[AudioChunk]:
        silence = _SILENCE[self.format.encoding]
        rate = self.format.sample_rate_hz
        if self.format.encoding == "wav":
            data = silence * (round(length_s * rate) * 2 * self.format.channels)
            header = wav_header(sample_rate_hz=rate, channels=self.format.channels, data_bytes=len(data))
            return [AudioChunk(header + data)] if data else []
        chunk = AudioChunk(silence * (round(_CHUNK_S * rate) * self.format.step_bytes))
        return [chunk] * round(length_s / _CHUNK_S)

    async def play(self, clip: Clip) -> Playback:
        with anyio.move_on_after(self.within_s):
            playback = await self.player.play(clip)
            if not hasattr(playback, "finished"):
                raise ContractBroken(f"play must return a Playback, got {playback!r:.80}")
            return playback
        raise ContractBroken(f"play must return within {self.within_s:g} s, but did not")

    async def finish(self, playback: Playback) -> PlaybackResult:
        with anyio.move_on_after(self.within_s):
            result = await playback.finished()
            if await playback.finished() != result:
                raise ContractBroken("finished must give the same each time, but gave another result")
            return result
        raise ContractBroken(f"finished must return within {self.within_s:g} s, but did not")

    async def clear(self) -> None:
        with within(self.clear_s, "clear must return"):
            await self.player.clear()

    async def one_clip(self) -> None:
        """Play a clip alone, and look at its position while it sounds."""
        playback = await self.play(self.clip(_CLIP_S))
        accepted_s = anyio.current_time()
        over = anyio.Event()

        async def hear() -> None:
            try:
                await self.heard(playback, _CLIP_S)
            finally:
                over.set()

        await in_order([hear(), self.watch(playback, over)]).collect()
        if anyio.current_time() - accepted_s < _FRAME_S:
            raise ContractBroken(
                "play must return when it has accepted the clip, but returned when it was over"
            )

    async def heard(self, playback: Playback, length_s: float) -> float:
        """Wait until a clip of *length_s* was heard, and return when it began."""
        with within(self.within_s, "started must return"):
            started_s = await playback.started()
        result = await self.finish(playback)
        if result.outcome not in {"completed", "presumed"}:
            raise ContractBroken(
                f"a clip that nobody cleared must be heard, but the outcome was {result.outcome!r}"
            )
        if anyio.current_time() < started_s + length_s - self.error_s:
            raise ContractBroken(
                f"finished must return when a clip is over, but {length_s:g} s were over after "
                f"{anyio.current_time() - started_s:g} s"
            )
        if abs(result.played_s - length_s) > self.error_s:
            raise ContractBroken(
                f"played_s must be {length_s:g} for a clip of that length, got {result.played_s:g}"
            )
        return started_s

    async def watch(self, playback: Playback, over: anyio.Event) -> None:
        """Look at the position until *over*."""
        last_s = 0.0
        while not over.is_set():
            position_s = playback.position_s()
            if position_s is not None:
                if not last_s <= position_s <= _CLIP_S + self.error_s:
                    raise ContractBroken(
                        f"position_s must grow up to {_CLIP_S:g} s, the clip's length, got {position_s:g} "
                        f"after {last_s:g}"
                    )
                last_s = position_s
            with anyio.move_on_after(_FRAME_S):
                await over.wait()

    async def order(self) -> None:
        """Play clips, as many at a time as the player queues."""
        playbacks: list[Playback] = []
        for index in range(_CLIPS):
            if index > self.player.capabilities.queue_ahead:
                await self.finish(playbacks[index - 1 - int(self.player.capabilities.queue_ahead)])
            playbacks.append(await self.play(self.clip(_CLIP_S, index)))
        last_s = -math.inf
        for playback in playbacks:
            started_s = await self.heard(playback, _CLIP_S)
            if started_s < last_s + _CLIP_S - self.error_s:
                raise ContractBroken(
                    f"clips must sound one after another, but one of {_CLIP_S:g} s was followed after "
                    f"{started_s - last_s:g} s"
                )
            last_s = started_s

    async def empty_clip(self) -> None:
        result = await self.finish(await self.play(self.clip(0.0)))
        if result.outcome == "failed" or result.played_s > self.error_s:
            raise ContractBroken(f"an empty clip must end without a sound, got {result!r}")

    async def early_end(self) -> None:
        """Play a clip that ends, some time after its last chunk, without having said so."""
        clip = Clip(Segment(0, "Silence."), self.format, self.chunks(_CLIP_S))

        async def end() -> None:
            await anyio.sleep(_CHUNK_S)
            clip.end()

        async def hear() -> None:
            await self.heard(await self.play(clip), _CLIP_S)

        await in_order([hear(), end()]).collect()

    async def clearing(self) -> None:
        """Clear a clip that sounds, and one that waits."""
        clips = [self.clip(_LONG_CLIP_S, 0), self.clip(_CLIP_S, 1)]
        clips = clips if self.player.capabilities.queue_ahead >= 1 else clips[:1]
        accepted: list[Playback] = []
        silenced: list[Playback] = []
        over = anyio.Event()

        async def play() -> None:
            for clip in clips:
                accepted.append(await self.player.play(clip))  # noqa: PERF401  # looked at in between
            over.set()

        async def silence() -> None:
            # One that holds little sound takes the long clip to its end: then the call is under way.
            with anyio.move_on_after(_PATIENCE_S):
                await over.wait()
            await anyio.sleep(_CHUNK_S)
            silenced.extend(accepted)
            for clip in clips:
                clip.drop()
            await self.clear()
            with within(self.clear_s, "play must return when the player is cleared and the clip has ended"):
                await over.wait()
            await self.clear()

        await in_order([silence(), play()]).collect()
        for playback in accepted:
            with within(self.clear_s, "finished must return when the player is cleared"):
                result = await playback.finished()
                if playback in silenced and (result.outcome != "cleared" or result.played_s >= _LONG_CLIP_S):
                    raise ContractBroken(f"clear must drop all clips, but the outcome of one was {result!r}")

    async def cancelled_call(self) -> None:
        """Cancel a call that waits for the rest of its clip."""
        clip = Clip(Segment(0, "Silence."), self.format, self.chunks(_CLIP_S))
        with within(_CHUNK_S + self.clear_s, "a cancelled call of play must end"):
            with anyio.move_on_after(_CHUNK_S):
                await self.player.play(clip)
        clip.drop()
        await self.clear()
