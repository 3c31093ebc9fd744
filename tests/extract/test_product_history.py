"""The history of the catalogue: each state of a product with the day it was seen first."""

import datetime as dt

import pyarrow as pa

from pipelines import columns as c
from pipelines.extract import product_history
from pipelines.lake import tables

FIRST = dt.date(2026, 9, 1)


def day(number):
    return FIRST + dt.timedelta(days=number)


class Shelf:
    """A source with a given catalogue, which counts how often it is fetched."""

    name = "shelf"

    def __init__(self):
        self.listed, self.fetches, self.weight = {}, 0, None

    def products(self):
        self.fetches += 1
        rows = [
            {c.PRODUCT: product, c.NAME: name, c.PRICE: price, c.IN_STOCK: stock, c.WEIGHT: self.weight}
            for product, (name, price, stock) in self.listed.items()
        ]
        return pa.Table.from_pylist(rows, product_history.RAW_PRODUCTS)


def known(number):
    rows = product_history.catalogue("shelf", day(number)).to_pylist()
    return {row[c.PRODUCT]: (row[c.NAME], row[c.PRICE], row[c.IN_STOCK]) for row in rows}


def test_stores_only_changes_and_returns_each_day_as_it_was_known(home):
    shelf = Shelf()
    shelf.listed = {"A": ("Tea", 1.5, True), "B": ("Mug", 5.0, True)}
    assert product_history.pull(shelf, day(0)) == 2
    assert product_history.pull(shelf, day(1)) == 0
    shelf.listed = {"A": ("Tea, green", 1.5, True), "C": ("Cup", None, True)}
    assert product_history.pull(shelf, day(2)) == 3  # A has another name, C is new, B is missing
    assert product_history.pull(shelf, day(3)) == 0
    before = {"A": ("Tea", 1.5, True), "B": ("Mug", 5.0, True)}
    after = {"A": ("Tea, green", 1.5, True), "B": ("Mug", 5.0, False), "C": ("Cup", None, True)}
    assert [known(number) for number in range(5)] == [before, before, after, after, after]
    assert known(-10) == before  # a day before the history has its first states


def test_a_product_listed_again_is_in_stock_again(home):
    shelf = Shelf()
    shelf.listed = {"A": ("Tea", 1.5, True)}
    product_history.pull(shelf, day(0))
    shelf.listed = {}
    product_history.pull(shelf, day(1))
    shelf.listed = {"A": ("Tea", 1.5, True)}
    assert product_history.pull(shelf, day(2)) == 1
    assert [known(number)["A"][2] for number in range(3)] == [True, False, True]


def test_pulling_a_day_again_replaces_it_and_an_earlier_day_changes_nothing(home):
    shelf = Shelf()
    shelf.listed = {"A": ("Tea", 1.5, True)}
    product_history.pull(shelf, day(0))
    for price in (2.0, 3.0):
        shelf.listed = {"A": ("Tea", price, True)}
        assert product_history.pull(shelf, day(1)) == 1
    assert [known(number)["A"][1] for number in range(2)] == [1.5, 3.0]
    fetches = shelf.fetches
    assert product_history.pull(shelf, day(0)) == 0
    assert shelf.fetches == fetches


def test_a_source_of_order_lines_alone_has_no_catalogue(home):
    class Lines:
        name = "lines"

        def products(self):
            return None

    assert product_history.pull(Lines(), day(0)) == 0
    assert product_history.catalogue("lines", day(0)) is None


def test_a_product_listed_twice_counts_once_and_rows_without_an_id_are_ignored(home):
    class Twice(Shelf):
        def products(self):
            rows = [{c.PRODUCT: "A", c.NAME: "Tea"}, {c.PRODUCT: "A", c.NAME: "Cup"}, {c.PRODUCT: None}]
            return pa.Table.from_pylist(rows, product_history.RAW_PRODUCTS)

    assert product_history.pull(Twice(), day(0)) == 1
    assert product_history.catalogue("shelf", day(0))[c.NAME].to_pylist() == ["Tea"]


def test_the_history_of_an_older_release_continues_without_weights(home):
    shelf = Shelf()
    shelf.listed = {"A": ("Tea", 1.5, True)}
    product_history.pull(shelf, day(0))
    table = tables.RAW_PRODUCTS.format(source="shelf")
    tables.write(table, tables.read(table).drop_columns([c.WEIGHT]))
    assert product_history.catalogue("shelf", day(0))[c.WEIGHT].to_pylist() == [None]
    assert product_history.pull(shelf, day(1)) == 0  # nothing changed
    shelf.weight = 2.5
    assert product_history.pull(shelf, day(2)) == 1
    assert [product_history.catalogue("shelf", day(n))[c.WEIGHT].to_pylist() for n in (1, 2)] == [
        [None],
        [2.5],
    ]
