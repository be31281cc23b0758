"""A Telnyx that runs here: the model of a call, what it hears and is told, and the ways to reach it."""

from importlib.util import find_spec

for _package in ("cryptography", "h11", "httpx", "wsproto"):
    if find_spec(_package) is None:
        raise ModuleNotFoundError(
            "the packages for the simulator of Telnyx are not installed; "
            "pip install 'ordered-pipeline[telnyx]'",
            name=_package,
        )
