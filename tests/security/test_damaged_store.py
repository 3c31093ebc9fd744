"""A damaged, emptied or removed file of the store is reported, and no event is acknowledged that is lost."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import open_changes

from serving.errors import StoreError
from serving.live import events
from serving.live.changes import Changes
from serving.live.events import Event
from serving.settings import ServingSettings

ANNA = "a" * 64
EVENTS = 300
Damage = Callable[[Path], object]


def overwrite(file: Path, start: float, share: float) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(int(size * start))
        opened.write(random.Random(1).randbytes(int(size * share)))


DAMAGES: dict[str, Damage] = {
    "emptied": lambda file: file.write_bytes(b""),
    "removed": lambda file: file.unlink(),
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "overwritten": lambda file: overwrite(file, 0, 1),
    "overwritten in the middle": lambda file: overwrite(file, 0.3, 0.3),
}


def event(product: str, at: int | None = None) -> Event:
    return Event(ANNA, product, "purchase", at)


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    opened = open_changes(tmp_path)
    for number in range(EVENTS):
        events.add(opened.store, [event(f"product {number}", number + 1)])
    return opened


def is_kept(changes: Changes) -> bool:
    """Adds an event and returns whether it is kept: it can be read, or was refused."""
    try:
        events.add(changes.store, [event("new")])
    except StoreError:
        return True
    return "new" in [row.product for row in changes.events(ANNA)]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_at_the_start_is_reported_and_nothing_is_answered(
    changes: Changes, tmp_path: Path, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    changes.store.close()
    damage(tmp_path / ".nightshelf" / "store.db")
    restarted = Changes(ServingSettings(home=tmp_path))
    restarted._poll()
    assert not restarted.loaded
    assert "restore a backup" in caplog.text
    assert is_kept(restarted)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_while_the_service_runs_loses_no_acknowledged_event(
    changes: Changes, tmp_path: Path, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    damage(tmp_path / ".nightshelf" / "store.db")
    changes._poll()
    changes.events(ANNA)
    assert is_kept(changes)
    assert "the store" in caplog.text


def test_a_restored_file_is_used_at_once(changes: Changes, tmp_path: Path) -> None:
    changes.store.close()
    file = tmp_path / ".nightshelf" / "store.db"
    shutil.copy(file, tmp_path / "backup")
    changes._poll()
    file.unlink()
    changes._poll()
    assert changes.events(ANNA) == []
    shutil.copy(tmp_path / "backup", file)
    changes._poll()
    assert len(changes.events(ANNA)) == EVENTS
    assert is_kept(changes)
