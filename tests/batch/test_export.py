"""An export says what the service says, of everybody, to files and to databases; none sees half of it."""

import contextlib
import datetime as dt
import io
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from databases import postgresql
from homes import fresh_home
from stores import BACKENDS

from pipelines import columns as c
from pipelines.batch import export, targets, workers
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS
from pipelines.settings import settings
from serving.bundle.files import save
from serving.bundle.format import Bundle, texts
from serving.errors import NightshelfError
from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.identity import normalise, pseudonym
from serving.live.merchandising import Merchandising
from serving.live.served import Served, ServingState
from serving.live.store import Event, now_microseconds
from serving.recommend.recommender import LANES

CUSTOMERS, PRODUCTS, MOST = 600, 300, 2
MANY = 270_000  # of 64 characters each: more than PyArrow keeps in one piece of its own accord
CAME, FORGOTTEN, NAMELESS = "c-9000", "c-7", "c-8"  # by events alone; not answered; not in raw/
RULES = """
[[rule]]
name = "ours first"
act = "pin"
brands = ["brand 3"]
[[rule]]
name = "more of it"
act = "boost"
categories = ["category 5"]
factor = 3.0
[[rule]]
name = "never"
act = "exclude"
brands = ["brand 7"]
[[rule]]
name = "last"
act = "bury"
categories = ["category 2"]
"""
SCHEMA, KEY = workers.TO_CUSTOMERS, [c.CUSTOMER, c.LANE, c.RANK]


@dataclass(frozen=True)
class World:
    """A shop's bundle on disk, and its service."""

    folder: Path
    bundle: Bundle
    names: list[str]
    client: Client

    def answers(self, lane: str, names: list[str], n: int) -> dict[str, Any]:
        """What the service says, by the shop's own id."""
        answer = self.client.post("/v1/recommendations", json={"customers": names, "lane": lane, "n": n})
        return dict(zip(names, answer.json()["customers"], strict=True))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as place:
        rules = Path(place) / "rules.toml"
        rules.write_text(RULES)
        given = {"CUSTOMER_KEY": bundles.KEY, "SHOP_RULES": rules, "PER_CATEGORY": MOST}
        with fresh_home(Path(place) / "home", **given):
            names = [f"c-{one}" for one in range(CUSTOMERS)]
            bundle = random_bundles.draw(np.random.default_rng(11), PRODUCTS, CUSTOMERS, strength=0.3)
            hidden = sorted(pseudonym(one, bundles.KEY) for one in names)
            products = [f"{one:05}-é" for one in range(PRODUCTS)]
            bundle = replace(bundle, customers=texts(hidden), products=texts(products))
            known = Changes(settings())
            _change(known, bundle)
            _receive([one for one in names if one != NAMELESS])
            live = ServingState(
                Served("7", bundle, per_category=MOST, merchandising=Merchandising(rules)), changes=known
            )
            app = create_app(live, bundles.KEY)
            folder = save(bundle, Path(place) / "bundle")
            yield World(folder, bundle, names, Client(app))
            known.store.close()


def _change(known: Changes, bundle: Bundle) -> None:
    """Some products are hidden or sold out, some customers buy, look and dismiss, one is forgotten."""
    known.refresh()
    products = [one.decode() for one in bundle.products]
    most = np.argsort(-bundle.popularity)
    known.update_product(products[most[0]], {"hidden": True})
    known.update_product(products[most[1]], {"in_stock": False})
    at, kinds = now_microseconds(), ("purchase", "view", "cart", "dismissed")
    known.store.add_events(
        [
            Event(pseudonym(f"c-{one}", bundles.KEY), products[(one * 7 + place) % PRODUCTS], kind, at)
            for one in (*range(0, 60, 3), 9000)
            for place, kind in enumerate(kinds)
        ]
    )
    known.forget(pseudonym(FORGOTTEN, bundles.KEY))


def _receive(names: list[str]) -> None:
    row = dict.fromkeys(RAW_ORDERS.names) | {c.EXTRACTED_AT: dt.datetime.now(dt.UTC), c.PAGE: 0}
    rows = pa.Table.from_pylist([row | {c.CUSTOMER: f" {one} "} for one in names], RAW_ORDERS)
    now = dt.datetime.now(dt.UTC)
    raw.append(
        "files", raw.Watermark(id="a", started=now, last_day=now.date(), reached={}, full=True), [rows]
    )


def told(rows: pa.Table) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each customer and lane, which stand together and by rank."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault((row[c.CUSTOMER], row[c.LANE]), []).append(row)
    for some in found.values():
        assert [row[c.RANK] for row in some] == list(range(1, len(some) + 1))
    return found


def same(rows: list[dict[str, Any]], items: list[dict[str, Any]], name: str = c.PRODUCT) -> None:
    """Fails where rows of an export aren't the items of an answer."""
    assert [row[name] for row in rows] == [item["product"] for item in items]
    assert [row[c.REASON] for row in rows] == [item["reason"]["kind"] for item in items]
    scores = [item["score"] for item in items]
    np.testing.assert_allclose([row[c.SCORE] for row in rows], scores, rtol=1e-5, atol=1e-6)


def test_everybody_gets_in_every_lane_what_the_service_answers(world: World, tmp_path: Path) -> None:
    to = tmp_path / "new" / "all.parquet"
    expected = {*world.names, CAME} - {FORGOTTEN}
    written = export.write_customers(world.folder, str(to), 7, [*LANES, "for-you"], "", pseudonyms=True)
    assert written == len(expected)
    rows = pq.read_table(to)
    assert rows.schema.names == SCHEMA.names
    found, reasons = told(rows), set()
    for lane in LANES:
        answers = world.answers(lane, sorted(expected), 7)
        for name, answer in answers.items():
            assert answer["known"]
            same(found.pop((pseudonym(name, bundles.KEY), lane), []), answer["items"])
            reasons |= {item["reason"]["kind"] for item in answer["items"]}
    assert not found
    assert reasons >= {"repurchase", "taste", "trending"}


def test_customers_are_called_as_the_shop_does_and_others_left_out(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = tmp_path / "all.csv"
    expected = {*world.names} - {FORGOTTEN, NAMELESS}
    assert export.write_customers(world.folder, str(to), 3, ["discover"], "") == len(expected)
    assert "2 customers are left out" in caplog.text
    types = pyarrow.csv.ConvertOptions(column_types=SCHEMA)
    found = told(pyarrow.csv.read_csv(to, convert_options=types))
    assert {customer for customer, _ in found} == expected
    for name, answer in world.answers("discover", sorted(expected), 3).items():
        same(found[normalise(name), "discover"], answer["items"])
    assert not [one for one in tmp_path.iterdir() if one != to]


def test_a_large_shop_has_all_its_customers() -> None:
    names = texts([f"{one:064x}" for one in range(MANY)])
    history = np.zeros(MANY + 1, np.int64)
    large = replace(random_bundles.draw(np.random.default_rng(0)), customers=names, history_start=history)
    everyone, active = export._everyone(Served("1", large))
    assert everyone.to_pylist() == names.astype(str).tolist()
    assert not active


def test_products_get_the_alternatives_that_the_service_answers(world: World, tmp_path: Path) -> None:
    to = tmp_path / "all.parquet"
    assert export.of_products(world.folder, str(to), 4, "") == PRODUCTS
    found: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(to).to_pylist():
        found.setdefault(row[c.PRODUCT], []).append(row)
    for product in [one.decode() for one in world.bundle.products]:
        items = world.client.get(f"/v1/products/{product}/similar", params={"n": 4}).json()["items"]
        same(found.get(product, []), items, c.SIMILAR)


def test_rules_that_cant_be_read_are_no_reason_to_export_without_them(world: World, tmp_path: Path) -> None:
    with fresh_home(tmp_path, SHOP_RULES=tmp_path / "none.toml", CUSTOMER_KEY=bundles.KEY):
        (tmp_path / "none.toml").write_text("rule = 1")
        with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_RULES"):
            export.write_customers(world.folder, str(tmp_path / "x.csv"), 3, ["for-you"], "", pseudonyms=True)


def batch(version: int, customers: range) -> pa.Table:
    """A row of each customer, all with the version for a score."""
    row = {c.LANE: "for-you", c.RANK: 1, c.PRODUCT: "tea", c.SCORE: version, c.REASON: "taste"}
    return pa.Table.from_pylist([row | {c.CUSTOMER: str(one)} for one in customers], SCHEMA)


def put(to: str, version: int, size: int = 1000) -> None:
    with targets.opened(to, SCHEMA, KEY, "recommendations") as write:
        for start in range(0, size, 100):
            write(batch(version, range(start, start + 100)))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, postgresql(folder) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'out.db'}"
    found: str = request.getfixturevalue("server")
    with asking(found) as ask:
        ask("DROP TABLE IF EXISTS recommendations")
    return found


@contextlib.contextmanager
def asking(url: str) -> Iterator[Any]:
    """A function from a statement to its rows, over one connection."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:

        def ask(statement: str) -> Any:
            result = connection.execute(sa.text(statement))
            return result.all() if result.returns_rows else None

        yield ask


def test_a_reader_of_the_table_sees_the_old_one_or_the_new_one(url: str) -> None:
    put(url, 0)
    seen, done = [], threading.Event()

    def read() -> None:
        with asking(url) as ask:
            while not done.is_set():
                seen.append(ask("SELECT count(*), min(score), max(score) FROM recommendations")[0])

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(1, 6):
        put(url, version)
    done.set()
    reader.join()
    assert {tuple(one) for one in seen} <= {(1000, version, version) for version in range(6)}
    assert len({one[1] for one in seen}) > 1
    with asking(url) as ask:
        assert ask("SELECT count(*) FROM recommendations WHERE score = 5") == [(1000,)]
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    assert sa.inspect(engine).get_pk_constraint("recommendations")["constrained_columns"] == KEY
    assert sa.inspect(engine).get_table_names() == ["recommendations"]


def test_an_export_that_fails_leaves_the_old_table_and_no_trouble_for_the_next(url: str) -> None:
    put(url, 1)
    twice = batch(2, range(100))
    with (
        pytest.raises(NightshelfError, match=r"can't be written \((UniqueViolation|IntegrityError)\)"),
        targets.opened(url, SCHEMA, KEY, "recommendations") as write,
    ):
        write(twice)
        write(twice)
    with asking(url) as ask:
        assert ask("SELECT DISTINCT score FROM recommendations") == [(1,)]
    put(url, 3)
    with asking(url) as ask:
        assert ask("SELECT DISTINCT score FROM recommendations") == [(3,)]


def test_a_table_that_is_something_else_is_left_alone(url: str) -> None:
    with asking(url) as ask:
        ask("CREATE TABLE recommendations (customer TEXT)")
        with pytest.raises(NightshelfError, match="the table recommendations of --to is there"):
            put(url, 1)
        assert ask("SELECT * FROM recommendations") == []


def test_a_file_appears_whole_or_not_at_all_wherever_it_is() -> None:
    to = "memory://exports/all.csv"
    put(to, 1)
    with pytest.raises(KeyboardInterrupt), targets.opened(to, SCHEMA, KEY, "") as write:
        write(batch(2, range(10)))
        raise KeyboardInterrupt
    files = fsspec.filesystem("memory")
    rows = pyarrow.csv.read_csv(io.BytesIO(files.cat_file("/exports/all.csv")))
    assert (rows.num_rows, rows[c.SCORE].unique().to_pylist()) == (1000, [1])
    assert files.ls("/exports", detail=False) == ["/exports/all.csv"]


@pytest.mark.parametrize(
    ("to", "table", "told"),
    [
        ("out.xlsx", "t", "--to says neither a file nor a database"),
        ("mysql://shop:a-secret@localhost/db", "t", "--to says neither a file nor a database"),
        ("nowhere://x/out.csv", "t", "--to names a place of a kind that isn't known"),
        ("/proc/out.csv", "t", "the file of --to can't be written"),
        ("sqlite:///out.db", "t; DROP TABLE x", "--table is no plain name"),
        ("postgresql+psycopg://shop:a-secret@127.0.0.1:1/db", "t", "the database of --to can't be written"),
    ],
)
def test_a_place_that_cant_be_written_to_is_told_without_the_password(
    to: str, table: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NightshelfError, match=told) as error, targets.opened(to, SCHEMA, KEY, table):
        pass
    assert "a-secret" not in str(error.value)
    assert "a-secret" not in targets.shown(to) or "mysql" in to
