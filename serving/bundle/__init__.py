"""The bundle: a directory of plain arrays that holds everything needed to answer a request."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Returns `load`: versions registered by release 0.1 import it from here; the next release drops it."""
    if name != "load":
        raise AttributeError(name)
    from serving.bundle.files import load

    return load
