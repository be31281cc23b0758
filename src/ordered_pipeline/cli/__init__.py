"""The parts of the command. It runs on asyncio; what it does with text and sound is in `_speech`."""
