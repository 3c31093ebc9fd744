"""An export equals the service's answers, in files and databases; no reader ever sees half of it."""

import contextlib
import datetime as dt
import io
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import bundles
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import random_bundles
import sqlalchemy as sa
from clients import Client
from homes import fresh_home
from stores import BACKENDS

from pipelines import columns as c
from pipelines.batch import export, targets, workers
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS
from pipelines.settings import settings
from serving.bundle.files import save
from serving.bundle.format import Bundle, texts
from serving.errors import NightshelfError, without_secrets
from serving.http.routes import create_app
from serving.live import events
from serving.live.changes import Changes
from serving.live.events import Event
from serving.live.identity import canonical, pseudonym
from serving.live.merchandising import Merchandising
from serving.live.served import Served, ServingState
from serving.live.store import now_microseconds
from serving.recommend.lanes import LANES

CUSTOMERS, PRODUCTS, PER_CATEGORY = 600, 300, 2
MANY = 270_000  # pseudonyms of 64 characters: more than PyArrow puts into one chunk
NEW, FORGOTTEN, WITHOUT_ID = "c-9000", "c-7", "c-8"  # known by events alone; forgotten; not in raw/
MERCHANDISING_RULES = """
[[rule]]
name = "own brand first"
act = "pin"
brands = ["brand 3"]
[[rule]]
name = "boosted category"
act = "boost"
categories = ["category 5"]
factor = 3.0
[[rule]]
name = "excluded brand"
act = "exclude"
brands = ["brand 7"]
[[rule]]
name = "buried category"
act = "bury"
categories = ["category 2"]
"""
SCHEMA, KEY = workers.CUSTOMER_SCHEMA, [c.CUSTOMER, c.LANE, c.RANK]


@dataclass(frozen=True)
class World:
    """A shop's bundle on disk, its customers by the shop's own ids, and its service."""

    folder: Path
    bundle: Bundle
    names: list[str]
    client: Client

    def answers(self, lane: str, names: list[str], n: int) -> dict[str, Any]:
        """The service's answers, by the shop's own customer id."""
        answer = self.client.post("/v1/recommendations", json={"customers": names, "lane": lane, "n": n})
        return dict(zip(names, answer.json()["customers"], strict=True))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.toml"
        rules.write_text(MERCHANDISING_RULES)
        values = {"CUSTOMER_KEY": bundles.KEY, "SHOP_RULES": rules, "PER_CATEGORY": PER_CATEGORY}
        with fresh_home(Path(folder) / "home", **values):
            names = [f"c-{number}" for number in range(CUSTOMERS)]
            bundle = random_bundles.draw(np.random.default_rng(11), PRODUCTS, CUSTOMERS, strength=0.3)
            pseudonyms = sorted(pseudonym(name, bundles.KEY) for name in names)
            products = [f"{number:05}-é" for number in range(PRODUCTS)]
            bundle = replace(bundle, customers=texts(pseudonyms), products=texts(products))
            changes = Changes(settings())
            _change(changes, bundle)
            _receive([name for name in names if name != WITHOUT_ID])
            state = ServingState(
                Served("7", bundle, per_category=PER_CATEGORY, merchandising=Merchandising(rules)),
                changes=changes,
            )
            app = create_app(state, bundles.KEY)
            yield World(save(bundle, Path(folder) / "bundle"), bundle, names, Client(app))
            changes.store.close()


def _change(changes: Changes, bundle: Bundle) -> None:
    """Hides a product, marks one as out of stock, adds events of some customers, and forgets a customer."""
    changes.refresh()
    products = [product.decode() for product in bundle.products]
    by_popularity = np.argsort(-bundle.popularity)
    changes.update_product(products[by_popularity[0]], {"hidden": True})
    changes.update_product(products[by_popularity[1]], {"in_stock": False})
    at, kinds = now_microseconds(), ("purchase", "view", "cart", "dismissed")
    events.add(
        changes.store,
        [
            Event(pseudonym(f"c-{customer}", bundles.KEY), products[(customer * 7 + i) % PRODUCTS], kind, at)
            for customer in (*range(0, 60, 3), 9000)
            for i, kind in enumerate(kinds)
        ],
    )
    changes.forget(pseudonym(FORGOTTEN, bundles.KEY))


def _receive(names: list[str]) -> None:
    """Writes an order line of each customer to raw/."""
    row = dict.fromkeys(RAW_ORDERS.names) | {c.EXTRACTED_AT: dt.datetime.now(dt.UTC), c.PAGE: 0}
    rows = pa.Table.from_pylist([row | {c.CUSTOMER: f" {name} "} for name in names], RAW_ORDERS)
    now = dt.datetime.now(dt.UTC)
    raw.append(
        "files", raw.Watermark(id="a", started=now, last_day=now.date(), reached={}, full=True), [rows]
    )


def by_customer_and_lane(rows: pa.Table) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each customer and lane; fails unless they are in order of rank."""
    lists: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        lists.setdefault((row[c.CUSTOMER], row[c.LANE]), []).append(row)
    for ranked in lists.values():
        assert [row[c.RANK] for row in ranked] == list(range(1, len(ranked) + 1))
    return lists


def assert_same(rows: list[dict[str, Any]], items: list[dict[str, Any]], name: str = c.PRODUCT) -> None:
    """Fails unless rows of an export equal the items of an answer."""
    assert [row[name] for row in rows] == [item["product"] for item in items]
    assert [row[c.REASON] for row in rows] == [item["reason"]["kind"] for item in items]
    scores = [item["score"] for item in items]
    np.testing.assert_allclose([row[c.SCORE] for row in rows], scores, rtol=1e-5, atol=1e-6)


def test_every_customer_has_in_every_lane_what_the_service_answers(world: World, tmp_path: Path) -> None:
    to = tmp_path / "new" / "all.parquet"
    expected = {*world.names, NEW} - {FORGOTTEN}
    written = export.write_customers(world.folder, str(to), 7, [*LANES, "for-you"], "", pseudonyms=True)
    assert written == len(expected)
    rows = pq.read_table(to)
    assert rows.schema.names == SCHEMA.names
    rows_of, reasons = by_customer_and_lane(rows), set()
    for lane in LANES:
        answers = world.answers(lane, sorted(expected), 7)
        for name, answer in answers.items():
            assert answer["known"]
            assert_same(rows_of.pop((pseudonym(name, bundles.KEY), lane), []), answer["items"])
            reasons |= {item["reason"]["kind"] for item in answer["items"]}
    assert not rows_of
    assert reasons >= {"repurchase", "taste", "trending"}


def test_customers_are_identified_by_the_shops_own_id_or_left_out(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = tmp_path / "all.csv"
    expected = {*world.names} - {FORGOTTEN, WITHOUT_ID}
    assert export.write_customers(world.folder, str(to), 3, ["discover"], "") == len(expected)
    assert "2 customers are left out" in caplog.text
    types = pyarrow.csv.ConvertOptions(column_types=SCHEMA)
    rows_of = by_customer_and_lane(pyarrow.csv.read_csv(to, convert_options=types))
    assert {customer for customer, _ in rows_of} == expected
    for name, answer in world.answers("discover", sorted(expected), 3).items():
        assert_same(rows_of[canonical(name), "discover"], answer["items"])
    assert not [path for path in tmp_path.iterdir() if path != to]


def test_all_customers_of_a_large_shop_are_exported() -> None:
    names = texts([f"{number:064x}" for number in range(MANY)])
    history = np.zeros(MANY + 1, np.int64)
    large = replace(random_bundles.draw(np.random.default_rng(0)), customers=names, history_start=history)
    customers, active = export._customers(Served("1", large))
    assert customers.to_pylist() == names.astype(str).tolist()
    assert not active


def test_every_product_has_the_alternatives_that_the_service_answers(world: World, tmp_path: Path) -> None:
    to = tmp_path / "all.parquet"
    assert export.write_products(world.folder, str(to), 4, "") == PRODUCTS
    rows_of: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(to).to_pylist():
        rows_of.setdefault(row[c.PRODUCT], []).append(row)
    for product in [product.decode() for product in world.bundle.products]:
        items = world.client.get(f"/v1/products/{product}/similar", params={"n": 4}).json()["items"]
        assert_same(rows_of.get(product, []), items, c.SIMILAR)


def test_unreadable_merchandising_rules_fail_the_export(world: World, tmp_path: Path) -> None:
    with fresh_home(tmp_path, SHOP_RULES=tmp_path / "none.toml", CUSTOMER_KEY=bundles.KEY):
        (tmp_path / "none.toml").write_text("rule = 1")
        with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_RULES"):
            export.write_customers(world.folder, str(tmp_path / "x.csv"), 3, ["for-you"], "", pseudonyms=True)


def batch(version: int, customers: range) -> pa.Table:
    """A row per customer, with the version as its score."""
    row = {c.LANE: "for-you", c.RANK: 1, c.PRODUCT: "tea", c.SCORE: version, c.REASON: "taste"}
    return pa.Table.from_pylist([row | {c.CUSTOMER: str(customer)} for customer in customers], SCHEMA)


def put(to: str, version: int, size: int = 1000) -> None:
    """Exports `size` rows with the version as their score."""
    with targets.open_target(to, SCHEMA, KEY, "recommendations") as write:
        for start in range(0, size, 100):
            write(batch(version, range(start, start + 100)))


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'out.db'}"
    server: str = request.getfixturevalue("database")
    with connect(server) as query:
        query("DROP TABLE IF EXISTS recommendations")
    return server


@contextlib.contextmanager
def connect(url: str) -> Iterator[Any]:
    """A function from a statement to its rows, over one connection."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:

        def query(statement: str) -> Any:
            result = connection.execute(sa.text(statement))
            return result.all() if result.returns_rows else None

        yield query


def test_a_reader_sees_either_the_old_or_the_new_table(url: str) -> None:
    put(url, 0)
    seen, done = [], threading.Event()

    def read() -> None:
        with connect(url) as query:
            while not done.is_set():
                seen.append(query("SELECT count(*), min(score), max(score) FROM recommendations")[0])

    def is_seen(version: int) -> bool:
        return bool(seen) and seen[-1][1] == version

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(1, 6):
        put(url, version)
        bundles.wait_until(partial(is_seen, version), 60)
    done.set()
    reader.join()
    assert {tuple(row) for row in seen} <= {(1000, version, version) for version in range(6)}
    assert {row[1] for row in seen} >= set(range(1, 6))
    with connect(url) as query:
        assert query("SELECT count(*) FROM recommendations WHERE score = 5") == [(1000,)]
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    assert sa.inspect(engine).get_pk_constraint("recommendations")["constrained_columns"] == KEY
    assert sa.inspect(engine).get_table_names() == ["recommendations"]


def test_a_failed_export_leaves_the_old_table_and_the_next_one_succeeds(url: str) -> None:
    put(url, 1)
    rows = batch(2, range(100))
    with (
        pytest.raises(NightshelfError, match=r"--to \((UniqueViolation|IntegrityError)\)"),
        targets.open_target(url, SCHEMA, KEY, "recommendations") as write,
    ):
        write(rows)
        write(rows)
    with connect(url) as query:
        assert query("SELECT DISTINCT score FROM recommendations") == [(1,)]
    put(url, 3)
    with connect(url) as query:
        assert query("SELECT DISTINCT score FROM recommendations") == [(3,)]


def test_a_table_with_other_columns_is_not_replaced(url: str) -> None:
    with connect(url) as query:
        query("CREATE TABLE recommendations (customer TEXT)")
        with pytest.raises(NightshelfError, match="the table recommendations of --to exists"):
            put(url, 1)
        assert query("SELECT * FROM recommendations") == []


def test_a_file_appears_only_when_it_is_complete() -> None:
    to = "memory://exports/all.csv"
    put(to, 1)
    with pytest.raises(KeyboardInterrupt), targets.open_target(to, SCHEMA, KEY, "") as write:
        write(batch(2, range(10)))
        raise KeyboardInterrupt
    files = fsspec.filesystem("memory")
    rows = pyarrow.csv.read_csv(io.BytesIO(files.cat_file("/exports/all.csv")))
    assert (rows.num_rows, rows[c.SCORE].unique().to_pylist()) == (1000, [1])
    assert files.ls("/exports", detail=False) == ["/exports/all.csv"]


@pytest.mark.parametrize(
    ("to", "table", "message"),
    [
        ("out.xlsx", "t", "--to is neither a file nor a database"),
        ("mysql://shop:a-secret@localhost/db", "t", "--to is neither a file nor a database"),
        ("nowhere://x/out.csv", "t", "--to is a URL of an unknown or uninstalled kind"),
        ("/proc/out.csv", "t", "cannot write the file of --to"),
        ("sqlite:///out.db", "t; DROP TABLE x", "--table is not a plain name"),
        ("postgresql+psycopg://shop:a-secret@127.0.0.1:1/db", "t", "cannot write the database of --to"),
    ],
)
def test_an_unwritable_target_is_reported_without_its_password(
    to: str, table: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NightshelfError, match=message) as error, targets.open_target(to, SCHEMA, KEY, table):
        pass
    assert "a-secret" not in str(error.value)
    assert "a-secret" not in without_secrets(to)
