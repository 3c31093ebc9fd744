"""The store of changes, events and the forgotten, in SQLite or PostgreSQL, into an archive and back."""

import tempfile
from pathlib import Path

from pipelines.backup import databases
from pipelines.backup.archive import Writer
from pipelines.privacy import forgotten
from pipelines.settings import settings
from serving.live.store import Store, tables

DATABASE = "store.db"
FILLED = ("nightshelf_events", "nightshelf_products", "nightshelf_forgotten")


def save(archive: Writer) -> None:
    """Adds the store as it is at this moment."""
    forgotten.open_store().close()  # so that it has its tables
    with tempfile.TemporaryDirectory() as folder:
        databases.copy(settings().store_address, _made(f"sqlite:///{folder}/{DATABASE}"), tables)
        with Path(folder, DATABASE).open("rb") as file:
            archive.add(DATABASE, file)


def restore(folder: Path) -> None:
    """Puts the store of an unpacked archive back; whom the present one knows to be forgotten stay so."""
    store = forgotten.open_store()
    news = store.changes_since(0)
    databases.copy(_made(f"sqlite:///{folder / DATABASE}"), settings().store_address, tables)
    store.reopen_erasures(news.forgotten if news else {})
    store.close()


def any_there() -> bool:
    """Whether it holds anything."""
    return databases.holds(settings().store_address, FILLED)


def _made(url: str) -> str:
    """The URL of a store that has its tables now."""
    store = Store(url)
    store.prepare()
    store.close()
    return url
