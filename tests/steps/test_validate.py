"""Nightly runs of a small shop through extract and validate: what stops a run, and how to let it pass."""

import csv
import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from homes import fresh_home

from pipelines import columns as c
from pipelines import nightly
from pipelines.extract import raw
from pipelines.lake import tables
from pipelines.run import pins, tracking
from pipelines.settings import settings
from pipelines.validate import history, quarantine
from serving.errors import NightshelfError
from serving.live.identity import pseudonym

FIRST = dt.date(2026, 9, 1)
COLUMNS = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
MAPPING = "[columns]\n" + "".join(f'{name} = "{name}"\n' for name in COLUMNS)
WRITTEN = ("orders", "goods")


def lines(day, orders=20):
    """The order lines of a day: each order has three lines, and customers buy repeatedly."""
    for order in range(orders):
        time = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(8 + order % 12, day, order))
        for line in range(3):
            product = (order + 7 * line + day) % 25
            yield [
                f"{day}-{order}",
                time.isoformat(),
                f"c{(order * 3 + day) % 40}",
                f"p{product}",
                1,
                5 + product,
            ]


class Shop:
    """A shop whose orders are a folder with one file per day."""

    def __init__(self, folder):
        self.folder = folder / "orders"
        self.folder.mkdir()
        (folder / "mapping.toml").write_text(MAPPING)
        self.mapping = str(folder / "mapping.toml")

    def put(self, day, rows, columns=COLUMNS):
        with (self.folder / f"{day:03}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])

    def run(self, day, **options):
        as_of = str(FIRST + dt.timedelta(days=day))
        night = nightly.begin(
            as_of=as_of, source="files", path=str(self.folder), mapping=self.mapping, **options
        )
        nightly.run("extract", night)
        return night, nightly.run("validate", night)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop with twenty days of orders, whose last nightly run passed."""
    folder = tmp_path_factory.mktemp("shop")
    with fresh_home(folder):
        shop = Shop(folder)
        for day in range(20):
            shop.put(day, lines(day))
        shop.run(19)
        yield shop


def versions():
    return [tables.current_path(table) for table in WRITTEN]


def results_of(day):
    """The validation results of the run of a day, as rows."""
    source = tables.entries("validation")[0].partition("=")[2]
    (rows,) = (
        table.to_pylist()
        for table in history.results(source, FIRST + dt.timedelta(days=100))
        if table["as_of"][0].as_py() == FIRST + dt.timedelta(days=day)
    )
    return rows


def test_keeps_the_results_of_a_run_that_passed(shop):
    results = results_of(19)
    assert {row["outcome"] for row in results} == {"passed"}
    assert all(row["met"] for row in results)
    orders = [row for row in results if (row["measure"], row["severity"]) == ("orders", "critical")]
    assert [row["day"] for row in orders] == [FIRST + dt.timedelta(days=day) for day in range(13, 20)]
    assert {(row["value"], row["told"]) for row in orders} == {(1, "20 orders, usual is 20")}
    assert all(row["low"] < 1 < row["high"] for row in orders)
    messages = {row["measure"]: row["told"] for row in results if row["day"] == FIRST + dt.timedelta(days=19)}
    assert messages["columns"] == "0 columns of orders are missing, unknown or of another type (none)"
    assert messages["duplicates"] == "0.0% of the lines fetched are duplicates or were replaced"
    assert messages["quarantined"] == "0 of 1200 new order lines fail a row check (none)"


def test_a_rejected_run_leaves_the_tables_unchanged_and_passes_with_a_let_pass_reason(shop):
    before = versions()
    shop.put(20, lines(20, orders=6))
    with pytest.raises(NightshelfError) as error:
        shop.run(20)
    message = str(error.value)
    assert "Mon 2026-09-21: 6 orders, usual is 20 (orders are missing" in message
    assert "--let-pass" in message
    assert versions() == before
    assert {row["outcome"] for row in results_of(20)} == {"stopped"}
    night, counts = shop.run(20, let_pass="  a strike  ")
    assert versions() != before
    assert {(row["outcome"], row["reason"]) for row in results_of(20)} == {("let pass", "a strike")}
    assert any("6 orders, usual is 20" in warning for warning in counts["warnings"])
    tags = tracking.client().get_run(night.run_id).data.tags
    assert tags["let_pass"] == "a strike"
    assert "critical: Mon 2026-09-21: 6 orders" in tags["validation"]


def test_ignores_a_let_pass_reason_that_isnt_needed(shop):
    shop.put(21, lines(21))
    night, _ = shop.run(21, let_pass="to be sure")
    assert {(row["outcome"], row["reason"]) for row in results_of(21)} == {("passed", None)}
    assert "let_pass" not in tracking.client().get_run(night.run_id).data.tags


def test_the_next_run_uses_a_released_line(shop):
    *rest, last = lines(22)
    shop.put(22, [*rest, [*last[:5], 700]])
    _, counts = shop.run(22)
    assert counts["price_outlier"] == 1
    quarantine.release("price_outlier", "signed by the author", None, [])
    _, counts_after_release = shop.run(22)
    assert "price_outlier" not in counts_after_release
    assert counts_after_release["used"] == counts["used"] + 1
    assert max(tables.read(tables.ORDERS)[c.UNIT_PRICE].to_pylist()) == 700


def test_customers_get_the_mapped_group_and_earlier_pulls_have_no_group(tmp_path):
    with fresh_home(tmp_path):
        shop = Shop(tmp_path)
        for day in range(10):
            shop.put(day, lines(day))
        shop.run(9)
        (pull,) = raw.pulls(tables.entries("profile")[0].partition("=")[2])
        (file,) = Path(tables.current_path(pull)).glob("*.parquet")
        # As an earlier release of Nightshelf wrote it.
        pq.write_table(pq.read_table(file).drop_columns(c.GROUP), file)
        (tmp_path / "mapping.toml").write_text(f'{MAPPING}{c.GROUP} = "country"\n')
        shop.put(
            10, ([*line, "France" if line[2] > "c2" else ""] for line in lines(10)), [*COLUMNS, "country"]
        )
        night, counts = shop.run(10)
        assert counts["used"] == 11 * 60
        nightly.run("prepare", night)
        customers = {pseudonym(line[2], "a key for tests") for line in lines(10) if line[2] > "c2"}
        assert 0 < len(customers) < 20
        expected = [{c.CUSTOMER: customer, c.GROUP: "France"} for customer in sorted(customers)]
        assert pins.read(night, tables.GROUPS).sort_by(c.CUSTOMER).to_pylist() == expected
        assert c.GROUP in tables.read(tables.QUARANTINE.format(day=night.as_of)).column_names


def test_stops_if_every_line_fails_a_row_check(shop, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_LAKE", f"{settings().lake_url}-of-nothing")
    settings.cache_clear()
    folder = shop.folder.parent / "nothing"
    folder.mkdir()
    other = Shop(folder)
    other.put(0, ([*line[:3], "", *line[4:]] for line in lines(0)))
    with pytest.raises(NightshelfError, match="no order line is left after validation"):
        other.run(0)
    settings.cache_clear()


def test_names_the_step_extract_if_it_hasnt_run(shop):
    night = nightly.begin(
        as_of="2026-09-20", source="files", path=str(shop.folder / "000.csv"), mapping=shop.mapping
    )
    with pytest.raises(NightshelfError, match=r"raw/ holds no data of .*: run the step extract first"):
        nightly.run("validate", night)


@pytest.mark.parametrize("customer", ["", "0", "guest"])
def test_a_run_stopped_for_orders_without_a_customer_names_the_setting_that_allows_them(tmp_path, customer):
    with fresh_home(tmp_path):
        shop = Shop(tmp_path)
        for day in range(12):
            rows = [*lines(day)]
            shop.put(
                day, [[*row[:2], customer if n % 5 == 0 else row[2], *row[3:]] for n, row in enumerate(rows)]
            )
        with pytest.raises(NightshelfError, match="guests = true in the mapping"):
            shop.run(11)
        Path(shop.mapping).write_text(f"guests = true\n{MAPPING}")
        _, counts = shop.run(11)
        assert counts["used"] == 12 * 60
        customers = tables.read(tables.ORDERS)[c.CUSTOMER]
        assert customers.null_count > 0
        assert pseudonym(customer, "a key for tests") not in customers.to_pylist()
