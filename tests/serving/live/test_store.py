"""The store in SQLite and in a real PostgreSQL: what was told is there, once, for everybody."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import postgresql
from stores import BACKENDS

from serving.errors import NightshelfError, StoreError
from serving.live.store import FORMAT, LATEST, Event, Store, events, microseconds, schema

ANNA, BORIS = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, postgresql(folder) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    found: str = request.getfixturevalue("database")
    with sa.create_engine(found, poolclass=sa.NullPool).begin() as connection:
        for table in ("counter", "format", "products", "forgotten", "events"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS nightshelf_{table}"))
    return found


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Store]]:
    """A function that opens the store as one more process does."""
    with contextlib.ExitStack() as stack:

        def one() -> Store:
            found = Store(url)
            stack.callback(found.close)
            found.prepare()
            return found

        yield one


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    return opened()


def stamp(url: str, number: int | None) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sa.update(schema).values(number=number) if number else sa.text(f"DROP TABLE {schema.name}")
        )
    engine.dispose()


def test_a_store_without_a_format_goes_on_and_a_later_one_is_refused(
    opened: Callable[[], Store], url: str
) -> None:
    opened().add([event()])
    stamp(url, None)  # as releases left it that said none
    assert told(opened()) == [("tea-1", 5)]
    stamp(url, FORMAT + 1)
    with pytest.raises(
        StoreError, match=f"has format {FORMAT + 1} of a later release, and this one knows 1: run"
    ):
        opened()
    stamp(url, FORMAT)
    assert told(opened()) == [("tea-1", 5)]


def test_the_forgotten_are_reminded_of_and_some_more(store: Store) -> None:
    store.add([event(ANNA, at=5), event(BORIS, at=5), event(BORIS, at=9, name="later")])
    store.forget(ANNA)
    store.scrubbed(store.pending())
    at = store.news(0).forgotten[ANNA]  # type: ignore[union-attr]
    store.remind({BORIS: 7, ANNA: at - 1})
    assert store.pending() == {ANNA: at, BORIS: 7}
    assert told(store, BORIS) == [("tea-1", 9)]
    store.remind({ANNA: at + 1})
    assert store.pending()[ANNA] == at + 1


def event(customer: str = ANNA, product: str = "tea-1", at: int = 5, name: str | None = None) -> Event:
    return Event(customer, product, "purchase", at, name)


def told(store: Store, customer: str = ANNA) -> list[tuple[str, int]]:
    return [(row.product, row.at) for row in store.of_customer(customer)]


def test_what_was_told_is_there_for_another_process_the_newest_first(
    store: Store, opened: Callable[[], Store]
) -> None:
    store.add([event(at=5), event(at=7, product="tea-2"), event(BORIS)])
    assert told(opened()) == [("tea-2", 7), ("tea-1", 5)]
    assert told(opened(), BORIS) == [("tea-1", 5)]


def test_the_same_id_twice_is_one_event_and_without_one_there_are_two(store: Store) -> None:
    store.add([event(name="1"), event(name="1"), event(name="2")])
    store.add([event(name="2"), event(), event()])
    assert len(told(store)) == 4


def test_many_events_are_kept_and_the_latest_are_looked_at(store: Store) -> None:
    store.add([event(at=at) for at in range(1, LATEST + 100)])
    assert [at for _, at in told(store)] == list(range(LATEST + 99, 99, -1))


def test_a_change_keeps_what_it_does_not_name_and_is_news_once(store: Store) -> None:
    store.change("tea-1", {"price": 3.5})
    store.change("tea-1", {"in_stock": False})
    store.change("tea-2", {"hidden": True})
    news = store.news(0)
    assert news is not None
    row = news.products["tea-1"]
    assert (row["in_stock"], row["price"], row["hidden"]) == (False, 3.5, None)
    assert store.news(news.number) is None
    store.change("tea-1", {"price": None})
    later = store.news(news.number)
    assert later is not None
    assert {name: row["price"] for name, row in later.products.items()} == {"tea-1": None}


def test_the_forgotten_lose_their_events_and_late_ones_from_before(store: Store) -> None:
    store.add([event(at=5), event(BORIS)])
    before = microseconds()
    assert store.forget(ANNA) == 1
    store.add([event(at=before), event(at=microseconds() + 1, product="tea-3")])
    assert [product for product, _ in told(store)] == ["tea-3"]
    assert told(store, BORIS) == [("tea-1", 5)]
    news = store.news(0)
    assert news is not None
    assert before <= news.forgotten[ANNA] <= microseconds()


def test_a_worker_may_begin_whatever_others_write(opened: Callable[[], Store]) -> None:
    store = opened()

    def write() -> None:
        for number in range(100):
            store.change(f"tea-{number}", {"hidden": True})
            store.forget(ANNA)

    with ThreadPoolExecutor() as threads:
        writing = [threads.submit(write) for _ in range(2)]
        while not all(one.done() for one in writing):
            opened()
    assert [one.exception() for one in writing] == [None, None]


def test_workers_who_begin_and_write_at_once_lose_nothing(opened: Callable[[], Store]) -> None:
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            own = opened()
            for at in range(20):
                own.add([event(at=at + 1, name=f"{number}-{at}")])
                own.change(f"{number}-{at}", {"in_stock": False})
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = opened()
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(events)).scalar() == 80
    news = store.news(0)
    assert news is not None
    assert (news.number, len(news.products)) == (80, 80)
    assert sorted(row["number"] for row in news.products.values()) == list(range(1, 81))


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'deep' / 'store.db'}")
    store.prepare()
    with store.engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    assert found == ["wal", 2]


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://user:s3cret@host/x", "sqlite://", "postgresql+no://s3cret@x/y"]
)
def test_an_address_that_cannot_be_is_told_without_its_password(url: str) -> None:
    with pytest.raises(NightshelfError, match="NIGHTSHELF_STORE_URL can't be used") as raised:
        Store(url)
    assert "s3cret" not in str(raised.value)


def test_a_database_that_is_down_is_told_without_its_password() -> None:
    store = Store("postgresql+psycopg://shop:s3cret@127.0.0.1:1/x")
    with pytest.raises(StoreError, match="gives no answer") as raised:
        store.of_customer(ANNA)
    assert "s3cret" not in str(raised.value)
