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

from pipelines.backup import archive, registry, store
from pipelines.backup import lake as lake_backup
from pipelines.lake import tables
from pipelines.settings import customer_key, settings
from serving.errors import NightshelfError

HEAD = "backup.json"
FORMAT = 1
KEYS, NIGHTS = "keys", "nights"


class Head(BaseModel):
    """What an archive says of itself."""

    format: int
    tables: int  # the format of the lake
    release: str
    made: dt.datetime
    key: str  # tells whether it is the same customer key, and nothing of it
    roots: tuple[str, ...]  # of MLflow's artifacts


def back_up(to: str) -> str:
    """What was put into the archive at a path or URL, in words."""
    head = Head(
        format=FORMAT,
        lake=tables.FORMAT,
        release=version("nightshelf"),
        made=dt.datetime.now(dt.UTC),
        key=_fingerprint(),
        roots=registry.home().roots,
    )
    with archive.writing(to) as made:
        made.put(HEAD, head.model_dump_json().encode())
        count = lake_backup.save(made)
        artifacts = registry.save(made)
        store.save(made)  # after the lake, so that whoever is forgotten meanwhile is forgotten there, too
        for name, file in _files():
            with file.open("rb") as opened:
                made.add(name, opened)
    return f"{count} tables, the registry with {artifacts} artifacts and the store are in {to}"


def restore(source: str, replace: bool = False) -> str:
    """What was put back, in words; nothing is touched before all of the archive is proven whole.

    Raises NightshelfError where the archive isn't, where something is there and `replace` isn't said, and
    where the customer key is another than that of the archive.
    """
    if not replace and (there := list(_there())):
        raise NightshelfError(
            f"there is {' and '.join(there)} already: stop all that runs and give --replace, or set another"
            " NIGHTSHELF_HOME"
        )
    settings().home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().home, prefix=".restore-") as folder:
        archive.unpack(source, Path(folder))
        head = _head(Path(folder))
        registry.upgrade(Path(folder))
        lake_backup.restore(Path(folder))
        registry.restore(Path(folder), head.roots)
        store.restore(Path(folder))
        _restore_files(Path(folder))
    return f"what release {head.release} saved at {head.made:%Y-%m-%d %H:%M} UTC is back"


def _there() -> Iterator[str]:
    """What a restore would replace."""
    if lake_backup.any_there():
        yield f"a lake in {settings().lake_url}"
    if registry.any_there():
        yield "a registry with runs"
    if store.any_there():
        yield "a store that was told of something"
    if settings().keys_path.exists():
        yield f"a file of keys, {settings().keys_path}"


def _head(folder: Path) -> Head:
    try:
        head = Head.model_validate_json((folder / HEAD).read_bytes())
    except (FileNotFoundError, ValidationError):
        raise NightshelfError(
            "this is no backup but some other archive: take one of `nightshelf backup`"
        ) from None
    if head.format > FORMAT or head.lake > tables.FORMAT:
        raise NightshelfError(
            f"the backup was made by a later release, {head.release}, in a format that this one doesn't read:"
            " restore it with that release"
        )
    if not hmac.compare_digest(head.key, _fingerprint()):
        raise NightshelfError(
            "the backup's customers were named by another NIGHTSHELF_CUSTOMER_KEY: set the one of then, which"
            " no backup holds"
        )
    return head


def _fingerprint() -> str:
    return hmac.new(customer_key().encode(), b"nightshelf backup", hashlib.sha256).hexdigest()[:16]


def _files() -> Iterator[tuple[str, Path]]:
    """The keys and the night reports, by their names in an archive."""
    if settings().keys_path.exists():
        yield KEYS, settings().keys_path
    for file in sorted(settings().nights.glob("*.html")):
        yield f"{NIGHTS}/{file.name}", file


def _restore_files(folder: Path) -> None:
    if (folder / KEYS).exists():
        settings().keys_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / KEYS, settings().keys_path)  # with its mode: its owner's alone
    settings().nights.mkdir(parents=True, exist_ok=True)
    for file in (folder / NIGHTS).glob("*.html"):
        shutil.copyfile(file, settings().nights / file.name)
