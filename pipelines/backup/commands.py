"""`nightshelf backup` and `nightshelf restore`."""

import datetime as dt
import hashlib
import hmac
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ValidationError

from pipelines.backup import archive, lake, registry, store
from pipelines.lake import tables
from pipelines.settings import customer_key, settings
from serving.errors import NightshelfError, without_secrets

HEADER = "backup.json"
FORMAT = 1
KEYS, NIGHTS = "keys", "nights"


class Header(BaseModel):
    """The archive's first member: what made the backup, and what a restore needs to know."""

    format: int
    lake: int  # the lake's format
    release: str
    made: dt.datetime
    key: str  # a fingerprint of the customer key, to compare with the key at the restore
    roots: tuple[str, ...]  # of MLflow's artifacts


def back_up(to: str) -> str:
    """Writes a backup to a path or URL; returns its content in words. It needs no pause of nightly runs."""
    header = Header(
        format=FORMAT,
        lake=tables.FORMAT,
        release=version("nightshelf"),
        made=dt.datetime.now(dt.UTC),
        key=_fingerprint(),
        roots=registry.storage().roots,
    )
    with archive.create(to, customer_key()) as writer:
        writer.add_bytes(HEADER, header.model_dump_json().encode())
        count = lake.save(writer)
        artifacts = registry.save(writer)
        store.save(writer)  # last, so that anyone forgotten during the backup stays forgotten
        for name, path in _files():
            with path.open("rb") as file:
                writer.add(name, file)
    return (
        f"{without_secrets(to)} holds {count} tables, the registry with {artifacts} artifacts, and the store"
    )


def restore(source: str, replace: bool = False, unsigned: bool = False) -> str:
    """Restores a backup from a path or URL; returns in words what was restored.

    replace: whether to replace existing data. unsigned: whether to accept a backup without a signature.
    Nothing changes before the whole archive is verified. Raises NightshelfError if the archive is incomplete,
    altered or unsigned, if data exists and `replace` is not set, or if NIGHTSHELF_CUSTOMER_KEY differs from
    that of the backup.
    """
    if not replace and (existing := list(_existing())):
        raise NightshelfError(
            f"there is already {' and '.join(existing)}: stop the service and all nightly runs and add"
            " --replace, or set another NIGHTSHELF_HOME"
        )
    settings().home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().home, prefix=".restore-") as temporary:
        folder = Path(temporary)
        archive.unpack(source, folder, customer_key(), unsigned)
        header = _header(folder)
        registry.upgrade(folder)
        lake.restore(folder)
        registry.restore(folder, header.roots)
        store.restore(folder)
        _restore_files(folder)
    return f"restored the backup of {header.made:%Y-%m-%d %H:%M} UTC, made by release {header.release}"


def _existing() -> Iterator[str]:
    """Yields the data that a restore would replace, in words."""
    if lake.has_data():
        yield f"a lake in {settings().lake_url}"
    if registry.has_data():
        yield "a registry with runs"
    if store.has_data():
        yield "a store with events, changes or erasures"
    if settings().keys_path.exists():
        yield f"a file of API keys, {settings().keys_path}"


def _header(folder: Path) -> Header:
    """Returns the header of an unpacked archive; raises NightshelfError if this release cannot restore it."""
    try:
        header = Header.model_validate_json((folder / HEADER).read_bytes())
    except (FileNotFoundError, ValidationError):
        raise NightshelfError(
            "this archive is not a backup: use a file that `nightshelf backup` wrote"
        ) from None
    if header.format > FORMAT or header.lake > tables.FORMAT:
        raise NightshelfError(
            f"the backup was made by a later release, {header.release}, in a format that this release cannot"
            " read: restore it with that release"
        )
    if not hmac.compare_digest(header.key, _fingerprint()):
        raise NightshelfError(
            "the backup's pseudonyms were made with another NIGHTSHELF_CUSTOMER_KEY: set the key that was in"
            " use then; a backup never contains it"
        )
    return header


def _fingerprint() -> str:
    return hmac.new(customer_key().encode(), b"nightshelf backup", hashlib.sha256).hexdigest()[:16]


def _files() -> Iterator[tuple[str, Path]]:
    """Yields the API keys and the reports of nightly runs: name in the archive, path."""
    if settings().keys_path.exists():
        yield KEYS, settings().keys_path
    for path in sorted(settings().nights.glob("*.html")):
        yield f"{NIGHTS}/{path.name}", path


def _restore_files(folder: Path) -> None:
    if (folder / KEYS).exists():
        settings().keys_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / KEYS, settings().keys_path)  # keeps the mode: readable by the owner only
    settings().nights.mkdir(parents=True, exist_ok=True)
    for path in (folder / NIGHTS).glob("*.html"):
        shutil.copyfile(path, settings().nights / path.name)
