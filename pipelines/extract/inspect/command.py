"""The command `inspect`: of files, or of a shop's API."""

from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Group
from rich.text import Text

from pipelines.extract.inspect.inspection import Inspection, inspect_files
from serving.errors import NightshelfError


def inspect(path: str, profile: str | None, to: Path | None) -> Inspection:
    """Inspects a path or a URL, and writes the mapping to a file if one is given; returns the inspection.

    Raises NightshelfError if there is nothing to read, or if the file exists or can't be written.
    """
    if to and to.exists():
        raise NightshelfError(f"{to} exists: name another file, or delete it")
    inspection = _inspect(path, profile)
    if to:
        _write(to, inspection.toml)
    next_step = f"wrote {to}; next: nightshelf check-source --source files --mapping {to} --path {path}"
    shown = Text(next_step) if to else Text(f"\n{inspection.toml}")
    inspection.report = Group(inspection.report, shown)
    return inspection


def _inspect(path: str, profile: str | None) -> Inspection:
    if urlsplit(path).scheme in ("http", "https"):
        raise NightshelfError("TODO")
    return inspect_files(path)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NightshelfError(f"{file} can't be written ({error.strerror}): name another file") from None
