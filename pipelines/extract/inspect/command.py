"""The command `inspect`: looks at files, or at a shop's API, and writes a mapping."""

from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Group
from rich.text import Text

from pipelines.extract.inspect.inspection import Inspection, inspect_files
from pipelines.extract.inspect.shop import inspect_shop
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
    following = f"wrote {to}; next: {_next(path, to)}" if to else f"\n{inspection.toml}"
    inspection.report = Group(inspection.report, Text(following))
    return inspection


def _inspect(path: str, profile: str | None) -> Inspection:
    if _is_url(path):
        return inspect_shop(path, profile)
    if profile:
        raise NightshelfError("--profile is for the URL of a shop's API: leave it out for files")
    return inspect_files(path)


def _is_url(path: str) -> bool:
    return urlsplit(path).scheme in ("http", "https")


def _next(path: str, to: Path) -> str:
    """Returns the command that checks the source with the file that was written."""
    if _is_url(path):
        return (
            f"set NIGHTSHELF_SOURCE=shop-api, NIGHTSHELF_SHOP_URL={path} and"
            f" NIGHTSHELF_SHOP_PROFILE={to.resolve()}, then nightshelf check-source"
        )
    return f"nightshelf check-source --source files --mapping {to} --path {path}"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NightshelfError(f"{file} can't be written ({error.strerror}): name another folder") from None
