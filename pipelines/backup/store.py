"""Backup and restore of the store: product changes, events and erasures, in SQLite or PostgreSQL."""

import tempfile
from pathlib import Path

from pipelines.backup import databases
from pipelines.backup.archive import Writer
from pipelines.privacy import forgotten
from pipelines.settings import settings
from serving.live import changeset, erasures
from serving.live.store import Store
from serving.live.tables import metadata

DATABASE = "store.db"
DATA_TABLES = ("nightshelf_events", "nightshelf_orders", "nightshelf_products", "nightshelf_forgotten")


def save(writer: Writer) -> None:
    """Adds a snapshot of the store to an archive."""
    forgotten.open_store().close()  # creates its tables if they are missing
    with tempfile.TemporaryDirectory() as folder:
        databases.copy(settings().store_address, _with_tables(f"sqlite:///{folder}/{DATABASE}"), metadata)
        with Path(folder, DATABASE).open("rb") as file:
            writer.add(DATABASE, file)


def restore(folder: Path) -> None:
    """Restores the store of an unpacked archive; customers forgotten since the backup stay forgotten."""
    store = forgotten.open_store()
    current = changeset.since(store, 0)
    databases.copy(_with_tables(f"sqlite:///{folder / DATABASE}"), settings().store_address, metadata)
    erasures.reopen(store, current.forgotten if current else {})
    store.close()


def has_data() -> bool:
    """Returns whether the store holds events, product changes or erasures."""
    return databases.has_rows(settings().store_address, DATA_TABLES)


def _with_tables(url: str) -> str:
    """Creates the store's tables in a database if they are missing, and returns its URL."""
    store = Store(url)
    store.prepare()
    store.close()
    return url
