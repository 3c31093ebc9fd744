"""The two parsers of HTTP that uvicorn may use."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PARSERS = ("httptools", "h11")  # the images have h11 alone
WITHOUT_HTTPTOOLS = "import sys\nsys.modules['httptools'] = None\n"


@contextlib.contextmanager
def parsed_by(parser: str) -> Iterator[None]:
    """Makes services that are started within the block use a parser."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if parser == "h11":
            (Path(folder) / "sitecustomize.py").write_text(WITHOUT_HTTPTOOLS)
            patch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
        yield
