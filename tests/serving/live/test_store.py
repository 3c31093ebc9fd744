"""The store in SQLite and in a real PostgreSQL: every process sees what was recorded, once."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from stores import BACKENDS

from serving.errors import NightshelfError, StoreError
from serving.live import changeset, erasures, events
from serving.live.events import EVENTS_PER_ANSWER, Event
from serving.live.store import FORMAT, Store, now_microseconds
from serving.live.tables import events as events_table
from serving.live.tables import format_table

ANNA, BORIS = "a" * 64, "b" * 64


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    address: str = request.getfixturevalue("database")
    with sa.create_engine(address, poolclass=sa.NullPool).begin() as connection:
        for table in ("counter", "format", "products", "forgotten", "events"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS nightshelf_{table}"))
    return address


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[[], Store]]:
    """A function that opens the store as a new process does."""
    with contextlib.ExitStack() as stack:

        def open_new() -> Store:
            store = Store(url)
            stack.callback(store.close)
            store.prepare()
            return store

        yield open_new


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()


def set_format(url: str, number: int | None) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        if number is None:
            format_table.drop(connection)
        else:
            connection.execute(sa.update(format_table).values(number=number))
    engine.dispose()


def test_opens_a_store_without_a_format_and_refuses_a_later_one(
    open_store: Callable[[], Store], url: str
) -> None:
    events.add(open_store(), [event()])
    set_format(url, None)  # as early releases left it
    assert recorded(open_store()) == [("tea-1", 5)]
    set_format(url, FORMAT + 1)
    with pytest.raises(StoreError, match=rf"has format {FORMAT + 1} .* reads format {FORMAT}: run"):
        open_store()
    set_format(url, FORMAT)
    assert recorded(open_store()) == [("tea-1", 5)]


def test_reopening_erasures_makes_all_pending_and_adds_some(store: Store) -> None:
    events.add(store, [event(ANNA, at=5), event(BORIS, at=5), event(BORIS, at=9, event_id="later")])
    erasures.forget(store, ANNA)
    erasures.mark_done(store, erasures.pending(store))
    forgotten_at = changeset.since(store, 0).forgotten[ANNA]  # type: ignore[union-attr]
    erasures.reopen(store, {BORIS: 7, ANNA: forgotten_at - 1})
    assert erasures.pending(store) == {ANNA: forgotten_at, BORIS: 7}
    assert recorded(store, BORIS) == [("tea-1", 9)]
    erasures.reopen(store, {ANNA: forgotten_at + 1})
    assert erasures.pending(store)[ANNA] == forgotten_at + 1


def event(customer: str = ANNA, product: str = "tea-1", at: int = 5, event_id: str | None = None) -> Event:
    return Event(customer, product, "purchase", at, event_id)


def recorded(store: Store, customer: str = ANNA) -> list[tuple[str, int]]:
    return [(row.product, row.at) for row in events.latest(store, customer)]


def test_another_process_reads_events_newest_first(store: Store, open_store: Callable[[], Store]) -> None:
    events.add(store, [event(at=5), event(at=7, product="tea-2"), event(BORIS)])
    assert recorded(open_store()) == [("tea-2", 7), ("tea-1", 5)]
    assert recorded(open_store(), BORIS) == [("tea-1", 5)]


def test_stores_an_id_once_and_events_without_an_id_each_time(store: Store) -> None:
    events.add(store, [event(event_id="1"), event(event_id="1"), event(event_id="2")])
    events.add(store, [event(event_id="2"), event(), event()])
    assert len(recorded(store)) == 4


def test_reads_only_the_latest_events(store: Store) -> None:
    events.add(store, [event(at=at) for at in range(1, EVENTS_PER_ANSWER + 100)])
    assert [at for _, at in recorded(store)] == list(range(EVENTS_PER_ANSWER + 99, 99, -1))


def test_a_change_keeps_other_values_and_is_reported_once(store: Store) -> None:
    changeset.update_product(store, "tea-1", {"price": 3.5})
    changeset.update_product(store, "tea-1", {"in_stock": False})
    changeset.update_product(store, "tea-2", {"hidden": True})
    changes = changeset.since(store, 0)
    assert changes is not None
    row = changes.products["tea-1"]
    assert (row["in_stock"], row["price"], row["hidden"]) == (False, 3.5, None)
    assert changeset.since(store, changes.number) is None
    changeset.update_product(store, "tea-1", {"price": None})
    later = changeset.since(store, changes.number)
    assert later is not None
    assert {name: row["price"] for name, row in later.products.items()} == {"tea-1": None}


def test_forgetting_deletes_events_and_refuses_late_ones_from_before(store: Store) -> None:
    events.add(store, [event(at=5), event(BORIS)])
    before = now_microseconds()
    assert erasures.forget(store, ANNA) == 1
    events.add(store, [event(at=before), event(at=now_microseconds() + 1, product="tea-3")])
    assert [product for product, _ in recorded(store)] == ["tea-3"]
    assert recorded(store, BORIS) == [("tea-1", 5)]
    changes = changeset.since(store, 0)
    assert changes is not None
    assert before <= changes.forgotten[ANNA] <= now_microseconds()


def test_a_worker_can_start_while_others_write(open_store: Callable[[], Store]) -> None:
    store = open_store()

    def write() -> None:
        for number in range(100):
            changeset.update_product(store, f"tea-{number}", {"hidden": True})
            erasures.forget(store, ANNA)

    with ThreadPoolExecutor() as threads:
        writers = [threads.submit(write) for _ in range(2)]
        while not all(writer.done() for writer in writers):
            open_store()
    assert [writer.exception() for writer in writers] == [None, None]


def test_workers_that_start_and_write_at_once_lose_nothing(open_store: Callable[[], Store]) -> None:
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            own = open_store()
            for at in range(20):
                events.add(own, [event(at=at + 1, event_id=f"{number}-{at}")])
                changeset.update_product(own, f"{number}-{at}", {"in_stock": False})
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = open_store()
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(events_table)).scalar() == 80
    changes = changeset.since(store, 0)
    assert changes is not None
    assert (changes.number, len(changes.products)) == (80, 80)
    assert sorted(row["number"] for row in changes.products.values()) == list(range(1, 81))


def test_sqlite_writes_to_disk_before_a_commit_returns(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'deep' / 'store.db'}")
    store.prepare()
    with store.transaction() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", 2]


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://user:s3cret@host/x", "sqlite://", "postgresql+no://s3cret@x/y"]
)
def test_an_invalid_url_is_reported_without_its_password(url: str) -> None:
    with pytest.raises(NightshelfError, match="NIGHTSHELF_STORE_URL can't be used") as raised:
        Store(url)
    assert "s3cret" not in str(raised.value)


def test_a_database_that_is_down_is_reported_without_its_password() -> None:
    store = Store("postgresql+psycopg://shop:s3cret@127.0.0.1:1/x")
    with pytest.raises(StoreError, match="NIGHTSHELF_STORE_URL") as raised:
        events.latest(store, ANNA)
    assert "s3cret" not in str(raised.value)
