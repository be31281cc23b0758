"""Players for a command: one that writes a file for whoever listens to it, and what goes around a player."""

import asyncio

import anyio

from ordered_pipeline.cli._files import WavFile
from ordered_pipeline.cli._terminal import Progress
from ordered_pipeline.voice import AudioFormat, Clip, Playback, PlaybackResult, Player, PlayerCapabilities


class FilePlayer:
    """A player without a device: somebody who plays the file while it grows. Nothing waits for them."""

    def __init__(self, audio_format: AudioFormat, file: WavFile | None) -> None:
        """Write to *file*; without one, nothing is written."""
        self._format: AudioFormat = audio_format
        self._file: WavFile | None = file
        # When all that was written has been heard.
        self._end_s: float = 0.0

    @property
    def capabilities(self) -> PlayerCapabilities:
        """It takes one format, and streams."""
        return PlayerCapabilities(formats=(self._format,))

    async def play(self, clip: Clip, /) -> Playback:
        """Write *clip* while it comes.

        Raises:
            Failure: The file cannot be written.
        """
        written = _Written(self._format)
        async for chunk in clip:
            if self._file is not None:
                self._file.write(chunk.data)
            self._end_s = max(self._end_s, anyio.current_time())
            if written.started_s is None:
                written.started_s = self._end_s
            self._end_s += self._format.duration_s(len(chunk.data))
            written.size += len(chunk.data)
        return written

    async def clear(self) -> None:
        """Do nothing: what was written is there to be heard."""


class _Written:
    """A clip that is in the file."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self.started_s: float | None = None
        self.size: int = 0
        self._format: AudioFormat = audio_format

    async def started(self) -> float:
        """Return when it is heard, though that may be later."""
        if self.started_s is None:
            await anyio.sleep_forever()
            raise AssertionError
        return self.started_s

    async def finished(self) -> PlaybackResult:
        """Return that all of it will be heard."""
        return PlaybackResult("completed", self.position_s())

    def position_s(self) -> float:
        """Return all of it."""
        return self._format.duration_s(self.size)


class Recorder:
    """A player that plays by another one, and writes what it plays to a file as well."""

    def __init__(self, player: Player, file: WavFile) -> None:
        self._player: Player = player
        self._file: WavFile = file

    @property
    def capabilities(self) -> PlayerCapabilities:
        """Those of the other player."""
        return self._player.capabilities

    async def play(self, clip: Clip, /) -> Playback:
        """Play and write *clip* while it comes.

        Raises:
            Failure: The file cannot be written.
        """
        copy = Clip(clip.segment, clip.format)
        recording = asyncio.create_task(self._record(clip, copy))
        try:
            return await self._player.play(copy)
        finally:
            copy.end()
            clip.drop()
            await recording

    async def clear(self) -> None:
        """Clear the other player."""
        await self._player.clear()

    async def _record(self, clip: Clip, copy: Clip) -> None:
        try:
            async for chunk in clip:
                self._file.write(chunk.data)
                await copy.put(chunk)
        finally:
            copy.end()


class Announcer:
    """A player that plays by another one, and shows what."""

    def __init__(self, player: Player, progress: Progress) -> None:
        self._player: Player = player
        self._progress: Progress = progress

    @property
    def capabilities(self) -> PlayerCapabilities:
        """Those of the other player."""
        return self._player.capabilities

    async def play(self, clip: Clip, /) -> Playback:
        """Show the text of *clip*, and play it."""
        self._progress.show(f"▶ {clip.segment.index + 1}: {clip.segment.text}")
        return await self._player.play(clip)

    async def clear(self) -> None:
        """Clear the other player."""
        await self._player.clear()
