from tests.adapters.conftest import sound_server

__all__ = ["sound_server"]
