"""Nights of a small shop through extract and validate: what stops one, what a person may do about it."""

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
BEFORE = ("orders", "goods")


def lines(day, orders=20):
    """A day of the shop: as many orders of three lines, by customers who come again."""
    for order in range(orders):
        at = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(8 + order % 12, day, order))
        for line in range(3):
            product = (order + 7 * line + day) % 25
            yield [
                f"{day}-{order}",
                at.isoformat(),
                f"c{(order * 3 + day) % 40}",
                f"p{product}",
                1,
                5 + product,
            ]


class Shop:
    """A folder of a file per day."""

    def __init__(self, folder):
        self.folder = folder / "orders"
        self.folder.mkdir()
        (folder / "mapping.toml").write_text(MAPPING)
        self.mapping = str(folder / "mapping.toml")

    def put(self, day, rows, columns=COLUMNS):
        with (self.folder / f"{day:03}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])

    def night(self, day, **asked):
        as_of = str(FIRST + dt.timedelta(days=day))
        night = nightly.begin(as_of, source="files", path=str(self.folder), mapping=self.mapping, **asked)
        nightly.run("extract", night)
        return night, nightly.run("validate", night)


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    """Twenty days of which the last night passed."""
    folder = tmp_path_factory.mktemp("shop")
    with fresh_home(folder):
        shop = Shop(folder)
        for day in range(20):
            shop.put(day, lines(day))
        shop.night(19)
        yield shop


def versions():
    return [tables.current_path(table) for table in BEFORE]


def kept(day):
    """The results of a night, as rows."""
    source = tables.entries("validation")[0].partition("=")[2]
    (found,) = (
        table.to_pylist()
        for table in history.results(source, FIRST + dt.timedelta(days=100))
        if table["as_of"][0].as_py() == FIRST + dt.timedelta(days=day)
    )
    return found


def test_a_good_night_is_kept_with_all_that_was_measured(shop):
    results = kept(19)
    assert {row["outcome"] for row in results} == {"passed"}
    assert all(row["met"] for row in results)
    orders = [row for row in results if (row["measure"], row["severity"]) == ("orders", "critical")]
    assert [row["day"] for row in orders] == [FIRST + dt.timedelta(days=day) for day in range(13, 20)]
    assert {(row["value"], row["told"]) for row in orders} == {(1, "20 orders, usual is 20")}
    assert all(row["low"] < 1 < row["high"] for row in orders)
    once = {row["measure"]: row["told"] for row in results if row["day"] == FIRST + dt.timedelta(days=19)}
    assert once["columns"] == "0 columns of orders are other ones or of other types (none)"
    assert once["duplicates"] == "0.0% of the lines fetched repeat others or were replaced"
    assert once["quarantined"] == "0 of 1200 new order lines break a row rule (none)"


def test_a_bad_night_stops_says_why_leaves_the_tables_and_may_be_let_pass_with_a_reason(shop):
    before = versions()
    shop.put(20, lines(20, orders=6))
    with pytest.raises(NightshelfError) as stopped:
        shop.night(20)
    said = str(stopped.value)
    assert "Mon 2026-09-21: 6 orders, usual is 20 (orders are missing" in said
    assert "--let-pass" in said
    assert versions() == before
    assert {row["outcome"] for row in kept(20)} == {"stopped"}
    night, checked = shop.night(20, let_pass="  a strike  ")
    assert versions() != before
    assert {(row["outcome"], row["reason"]) for row in kept(20)} == {("let pass", "a strike")}
    assert any("6 orders, usual is 20" in one for one in checked["warnings"])
    tags = tracking.client().get_run(night.run_id).data.tags
    assert tags["let_pass"] == "a strike"
    assert "critical: Mon 2026-09-21: 6 orders" in tags["validation"]


def test_a_reason_that_isnt_needed_is_not_kept(shop):
    shop.put(21, lines(21))
    night, _ = shop.night(21, let_pass="to be sure")
    assert {(row["outcome"], row["reason"]) for row in kept(21)} == {("passed", None)}
    assert "let_pass" not in tracking.client().get_run(night.run_id).data.tags


def test_a_line_that_a_person_puts_back_is_used_by_the_next_night(shop):
    *rest, last = lines(22)
    shop.put(22, [*rest, [*last[:5], 700]])
    _, checked = shop.night(22)
    assert checked["price_outlier"] == 1
    quarantine.release("price_outlier", "signed by the author", None, [])
    _, again = shop.night(22)
    assert "price_outlier" not in again
    assert again["used"] == checked["used"] + 1
    assert max(tables.read(tables.ORDERS)[c.UNIT_PRICE].to_pylist()) == 700


def test_a_group_comes_from_a_column_to_the_customers_and_pulls_before_it_was_mapped_have_none(
    spark, tmp_path
):
    with fresh_home(tmp_path):
        shop = Shop(tmp_path)
        for day in range(10):
            shop.put(day, lines(day))
        shop.night(9)
        (pull,) = raw.pulls(tables.entries("profile")[0].partition("=")[2])
        (file,) = Path(tables.current_path(pull)).glob("*.parquet")
        pq.write_table(pq.read_table(file).drop_columns(c.GROUP), file)  # as an earlier release left it
        (tmp_path / "mapping.toml").write_text(f'{MAPPING}{c.GROUP} = "land"\n')
        shop.put(10, ([*line, "France" if line[2] > "c2" else ""] for line in lines(10)), [*COLUMNS, "land"])
        night, checked = shop.night(10)
        assert checked["used"] == 11 * 60
        nightly.run("prepare", night)
        named = {pseudonym(line[2], "a key for tests") for line in lines(10) if line[2] > "c2"}
        assert 0 < len(named) < 20
        expected = [{c.CUSTOMER: one, c.GROUP: "France"} for one in sorted(named)]
        assert pins.read(night, tables.GROUPS).sort_by(c.CUSTOMER).to_pylist() == expected
        assert c.GROUP in tables.read(tables.QUARANTINE.format(day=night.as_of)).column_names


def test_lines_that_all_break_a_rule_stop_the_night_and_can_be_looked_at(shop, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_LAKE", f"{settings().lake_url}-of-nothing")
    settings.cache_clear()
    folder = shop.folder.parent / "nothing"
    folder.mkdir()
    other = Shop(folder)
    other.put(0, ([*line[:3], "", *line[4:]] for line in lines(0)))
    with pytest.raises(NightshelfError, match="no order line is left after validation"):
        other.night(0)
    settings.cache_clear()


def test_a_night_before_the_extraction_says_what_to_do(shop):
    night = nightly.begin(
        "2026-09-20", source="files", path=str(shop.folder / "000.csv"), mapping=shop.mapping
    )
    with pytest.raises(NightshelfError, match=r"raw/ holds nothing of .*: run the step extract first"):
        nightly.run("validate", night)
