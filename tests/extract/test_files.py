"""Files of every format give the same rows, and each thing that is wrong with them one clear error."""

import datetime as dt
import gzip
import json
import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import columns as c
from pipelines.extract.files import Files
from pipelines.extract.mapping import MAPPINGS
from pipelines.extract.source import RAW_ORDERS, RAW_PRODUCTS
from serving.errors import NightshelfError

PHONE = "79165396205"
NAMES = ["id", "at", "phone", "sku", "n", "price", "title"]
RECEIVED = [
    ["1", "2026-01-30 10:00:00", PHONE, "A", 2, 1.5, "Tea"],
    ["1", "2026-01-30 10:00:00", PHONE, "B", 1, 20.0, "Mug, blue"],
    ["2", "2026-01-31 09:00:00", None, "A", -1, 1.5, None],
    ["3", "2026-01-31 23:00:00", "C-17", "A", 1, 1.75, "Tea, green"],
]
MAPPING = """
row_key = ["order_id", "product", "name"]
[columns]
order_id = "id"
ordered_at = "at"
customer = "phone"
product = "sku"
quantity = "n"
unit_price = "price"
name = "title"
"""


@pytest.fixture
def mapped(tmp_path):
    (tmp_path / "shop.toml").write_text(MAPPING)
    return str(tmp_path / "shop.toml")


def received(rows=RECEIVED):
    return pd.DataFrame(rows, columns=NAMES)


def jsonl(rows):
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows)


WRITERS = {
    "orders.parquet": lambda path: received().to_parquet(path),
    "orders.csv": lambda path: received().to_csv(path, index=False),
    "orders.2026-01.CSV": lambda path: received().to_csv(path, index=False),
    "orders.csv.gz": lambda path: received().to_csv(path, index=False),
    "orders.jsonl": lambda path: path.write_text(jsonl(RECEIVED)),
    "orders.json.gz": lambda path: path.write_bytes(gzip.compress(jsonl(RECEIVED).encode())),
}


def read(path, mapping):
    return Files(str(path), mapping).orders(lambda done, total: None)


def values(table):
    received = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.NAME]
    prices = [float(price) for price in table[c.UNIT_PRICE].to_pylist()]
    return [
        [*row.values(), price] for row, price in zip(table.select(received).to_pylist(), prices, strict=True)
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path, mapped, name):
    WRITERS[name](tmp_path / name)
    found = read(tmp_path / name, mapped)
    expected = [
        [order, at, who, sku, str(n), title, price] for order, at, who, sku, n, price, title in RECEIVED
    ]
    assert values(found) == expected
    assert found.schema.names == [*RAW_ORDERS.names, c.NAME]
    assert found.select(RAW_ORDERS.names).schema == RAW_ORDERS
    assert found[c.LINE].to_pylist() == [0, 1, 2, 3]
    assert set(found[c.SOURCE].to_pylist()) == {name}


def test_a_folder_is_all_its_files_whatever_their_formats(tmp_path, mapped):
    folder = tmp_path / "orders"
    (folder / "date=2026-01-31").mkdir(parents=True)
    received(RECEIVED[:2]).to_csv(folder / "a.csv", index=False)
    received(RECEIVED[2:]).to_parquet(folder / "date=2026-01-31" / "part-0.parquet")
    (folder / "_SUCCESS").touch()
    (folder / ".crc").mkdir()
    (folder / ".crc" / "a.crc").touch()
    received().to_csv(tmp_path / "whole.csv", index=False)
    assert values(read(folder, mapped)) == values(read(tmp_path / "whole.csv", mapped))


@pytest.mark.parametrize("at", ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00+03:00", "2026-01-31 10:00:00"])
def test_json_keeps_what_a_time_says_of_its_zone(tmp_path, mapped, at):
    (tmp_path / "orders.jsonl").write_text(jsonl([["1", at, PHONE, "A", 1, 1, "Tea"]]))
    assert read(tmp_path / "orders.jsonl", mapped)[c.ORDERED_AT].to_pylist() == [at]


@pytest.mark.parametrize("missing", [None, math.nan])
def test_numbers_that_lost_their_kind_to_a_missing_one_are_ids_still(tmp_path, mapped, missing):
    rows = [[7, "2026-01-31", customer, "A", 1, 1.0, "Tea"] for customer in (float(PHONE), missing)]
    columns = [pa.array(values) for values in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, NAMES), tmp_path / "orders.parquet")
    assert read(tmp_path / "orders.parquet", mapped)[c.CUSTOMER].to_pylist() == [PHONE, None]


def test_products_have_the_name_and_the_price_of_their_last_sale(tmp_path, mapped):
    backwards = [*RECEIVED[::-1], ["4", "2026-01-31 23:59:00", PHONE, "A", 1, 0, "a gift"]]
    received(backwards).to_csv(tmp_path / "orders.csv", index=False)
    files = Files(str(tmp_path / "orders.csv"), mapped)
    assert files.last_day() == dt.date(2026, 1, 31)
    for as_of, tea in ((dt.date(2026, 1, 31), ("Tea, green", 1.75)), (dt.date(2026, 1, 30), ("Tea", 1.5))):
        found = files.products(as_of).sort_by(c.PRODUCT)
        assert found.schema == RAW_PRODUCTS
        told = [(row[c.PRODUCT], row[c.NAME], row[c.PRICE]) for row in found.to_pylist()]
        assert told == [("A", *tea), ("B", "Mug, blue", 20.0)]


def test_products_sold_later_are_not_known_yet(tmp_path, mapped):
    received().to_csv(tmp_path / "orders.csv", index=False)
    assert Files(str(tmp_path / "orders.csv"), mapped).products(dt.date(2026, 1, 29)).num_rows == 0


# name -> (content, what the one error must name)
WRONG_FILES = {
    "nothing.csv": (b"", ["nothing.csv"]),
    "nothing.jsonl": (b"", ["nothing.jsonl"]),
    "nothing.parquet": (b"", ["nothing.parquet", "0 bytes"]),
    "header.csv": (",".join(NAMES).encode() + b"\n", ["header.csv", "no rows"]),
    "none.csv.gz": (b"not packed", ["none.csv.gz"]),
    "column.csv": (b"id,at,phone,sku,n,price\n1,2026-01-31,79165396205,A,1,1\n", ["column.csv", "'title'"]),
    "headless.csv": (b"1,2026-01-31,79165396205,A,2,3,Tea\n" * 2, ["headless.csv", "'id'"]),
    "phones.csv": (b"1,79165396205,79165396205\n" * 2, ["phones.csv", "multiple columns"]),
    "ragged.csv": (b"id,at\n1,2026-01-31\n2,2026-01-31,79165396205\n", ["ragged.csv", "Expected 2 columns"]),
    "latin.csv": (
        received().to_csv(index=False).replace("Tea", "Thé").encode("latin-1"),
        ["latin.csv", "UTF8"],
    ),
    "mixed.jsonl": ((jsonl(RECEIVED) + jsonl([[5, *RECEIVED[0][1:]]])).encode(), ["mixed.jsonl", "/id"]),
    "nested.jsonl": (jsonl([[{"a": 1}, *RECEIVED[0][1:]]]).encode(), ["nested.jsonl"]),
    "twice.csv": (
        b"id,id,at,phone,sku,n,price,title\n" + b"1,1,2026-01-31,79165396205,A,1,1,x\n",
        ["twice.csv"],
    ),
    "orders.xlsx": (b"x", ["orders.xlsx", ".parquet, .csv, .jsonl"]),
    "orders.csv.zip": (b"x", ["orders.csv.zip", "none of the formats"]),
    "orders": (b"x", ["orders", "none of the formats"]),
}


def error_of(path, mapping):
    with pytest.raises(NightshelfError) as caught:
        read(path, mapping)
    told = str(caught.value)
    assert "\n" not in told
    assert PHONE not in told
    return told


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_is_one_clear_error_without_its_values(tmp_path, mapped, name):
    content, named = WRONG_FILES[name]
    (tmp_path / name).write_bytes(content)
    told = error_of(tmp_path / name, mapped)
    assert [part for part in named if part not in told] == [], told


def test_a_file_without_a_column_is_named_among_others(tmp_path, mapped):
    folder = tmp_path / "orders"
    folder.mkdir()
    received().to_csv(folder / "a.csv", index=False)
    received().drop(columns="price").to_csv(folder / "b.csv", index=False)
    assert "b.csv has no column 'price'" in error_of(folder, mapped)


@pytest.mark.parametrize("path", ["", "not/there.csv"])
def test_a_missing_file_is_named_with_the_setting(mapped, path):
    told = error_of(path, mapped)
    assert repr(path) in told
    assert "NIGHTSHELF_FILES_PATH" in told


def test_an_empty_folder_is_named(tmp_path, mapped):
    (tmp_path / "orders").mkdir()
    assert f"{tmp_path}/orders holds no files" in error_of(tmp_path / "orders", mapped)


def test_a_last_time_that_is_no_date_asks_for_as_of(tmp_path, mapped):
    received([["1", "31.01.2026", PHONE, "A", 1, 1, "Tea"]]).to_csv(tmp_path / "orders.csv", index=False)
    with pytest.raises(NightshelfError, match=r"orders\.csv is no ISO date: give --as-of.*'at'"):
        Files(str(tmp_path / "orders.csv"), mapped).last_day()


WRONG_MAPPINGS = {
    "lacks a column": (MAPPING.replace('quantity = "n"', ""), "lacks quantity under"),
    "has an unknown column": (MAPPING + 'colour = "x"', "no use for colour under"),
    "has an unknown key": ("zone = 3\n" + MAPPING, "zone: Extra inputs"),
    "has a key without a column": (MAPPING.replace('"product", "name"', '"brand"'), "names brand, not in"),
    "has no such time zone": ("timezone = 'Europe/Lodon'\n" + MAPPING, "timezone: .*Europe/London"),
    "has no regular expression": ("not_products = '('\n" + MAPPING, "not_products: .*no regular expression"),
    "is no TOML": ("[columns", "can't be read"),
}


@pytest.mark.parametrize("case", WRONG_MAPPINGS)
def test_a_wrong_mapping_is_one_clear_error(tmp_path, case):
    received().to_csv(tmp_path / "orders.csv", index=False)
    text, named = WRONG_MAPPINGS[case]
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text)
    with pytest.raises(NightshelfError, match=rf"wrong\.toml.*{named}") as caught:
        Files(str(tmp_path / "orders.csv"), str(wrong))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "online_retial", "not/there.toml"])
def test_an_unknown_mapping_is_named_beside_the_shipped(tmp_path, name):
    (tmp_path / "orders.csv").touch()
    with pytest.raises(NightshelfError, match=f"no mapping '{name}'.*online_retail_ii"):
        Files(str(tmp_path / "orders.csv"), name)


def test_the_shipped_mapping_reads_the_file_it_is_for(data):
    files = Files(str(data("online_retail_ii.parquet")), "online_retail_ii")
    assert files.orders(lambda done, total: None).num_rows == 1_067_370
    assert files.last_day() == dt.date(2011, 12, 9)


def test_every_shipped_mapping_can_be_used():
    for file in Path(MAPPINGS).glob("*.toml"):
        Files(str(file), file.stem)
