"""Files of every format yield the same rows; an unusable file raises one clear error."""

import datetime as dt
import gzip
import json
import math
import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines import columns as c
from pipelines.extract import pulls, raw, staging, versions
from pipelines.extract.files import FileSource
from pipelines.extract.mapping import MAPPINGS
from pipelines.extract.staging import RAW_ORDERS, Staging
from pipelines.lake import tables
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

PHONE = "79165396205"
LAST = dt.date(2026, 1, 31)
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


def frame(rows=RECEIVED):
    return pd.DataFrame(rows, columns=NAMES)


def jsonl(rows):
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows)


WRITERS = {
    "orders.parquet": lambda path: frame().to_parquet(path),
    "orders.csv": lambda path: frame().to_csv(path, index=False),
    "orders.2026-01.CSV": lambda path: frame().to_csv(path, index=False),
    "orders.csv.gz": lambda path: frame().to_csv(path, index=False),
    "orders.jsonl": lambda path: path.write_text(jsonl(RECEIVED)),
    "orders.json.gz": lambda path: path.write_bytes(gzip.compress(jsonl(RECEIVED).encode())),
}


def read(path, mapping):
    files = FileSource(str(path), mapping)
    staged = Staging(files.name, files.plan)
    files.orders(None, staged, silent)
    return pa.concat_tables(staged.read())


def values(table):
    """Returns the rows of raw/ as lists, with prices as numbers."""
    columns = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.NAME]
    prices = [float(price) for price in table[c.UNIT_PRICE].to_pylist()]
    return [
        [*row.values(), price] for row, price in zip(table.select(columns).to_pylist(), prices, strict=True)
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_yields_the_same_rows(tmp_path, mapped, name):
    WRITERS[name](tmp_path / name)
    rows = read(tmp_path / name, mapped)
    expected = [
        [order, at, customer, sku, str(n), title, price]
        for order, at, customer, sku, n, price, title in RECEIVED
    ]
    assert values(rows) == expected
    assert rows.schema == RAW_ORDERS
    first = 2 if ".csv" in name.lower() else 1  # the header is line 1
    assert rows[c.LINE].to_pylist() == [first, first + 1, first + 2, first + 3]
    assert set(rows[c.SOURCE].to_pylist()) == {name}


@pytest.mark.parametrize("name", ["orders.parquet", "orders.csv", "orders.jsonl"])
def test_a_column_can_be_mapped_to_group(tmp_path, mapped, name):
    WRITERS[name](tmp_path / name)
    assert read(tmp_path / name, mapped)[c.GROUP].null_count == len(RECEIVED)
    Path(mapped).write_text(f'{MAPPING}group = "sku"')
    assert read(tmp_path / name, mapped)[c.GROUP].to_pylist() == ["A", "B", "A", "A"]


def test_an_order_whose_group_changed_is_new(tmp_path, mapped):
    Path(mapped).write_text(f'{MAPPING}group = "country"')
    for country, new in (("France", 4), ("France", 0), ("Spain", 4)):
        frame().assign(country=country).to_csv(tmp_path / "orders.csv", index=False)
        files = FileSource(str(tmp_path / "orders.csv"), mapped)
        assert pulls.pull(files, LAST, False, silent)["new_order_lines"] == new


def test_pages_staged_by_an_earlier_release_without_a_column_are_read_again(tmp_path, mapped, monkeypatch):
    frame().to_csv(tmp_path / "orders.csv", index=False)
    with monkeypatch.context() as earlier_release:
        fewer = RAW_ORDERS.remove(RAW_ORDERS.get_field_index(c.GROUP))
        earlier_release.setattr(staging, "RAW_ORDERS", fewer)
        assert read(tmp_path / "orders.csv", mapped).schema == fewer
    assert read(tmp_path / "orders.csv", mapped).schema == RAW_ORDERS


def test_a_folder_is_read_whatever_the_formats_of_its_files(tmp_path, mapped):
    folder = tmp_path / "orders"
    (folder / "date=2026-01-31").mkdir(parents=True)
    frame(RECEIVED[:2]).to_csv(folder / "a.csv", index=False)
    frame(RECEIVED[2:]).to_parquet(folder / "date=2026-01-31" / "part-0.parquet")
    (folder / "_SUCCESS").touch()
    (folder / ".crc").mkdir()
    (folder / ".crc" / "a.crc").touch()
    frame().to_csv(tmp_path / "whole.csv", index=False)
    assert values(read(folder, mapped)) == values(read(tmp_path / "whole.csv", mapped))


@pytest.mark.parametrize("at", ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00+03:00", "2026-01-31 10:00:00"])
def test_json_keeps_the_offset_of_a_time(tmp_path, mapped, at):
    (tmp_path / "orders.jsonl").write_text(jsonl([["1", at, PHONE, "A", 1, 1, "Tea"]]))
    assert read(tmp_path / "orders.jsonl", mapped)[c.ORDERED_AT].to_pylist() == [at]


@pytest.mark.parametrize("missing", [None, math.nan])
def test_ids_stored_as_floats_because_some_are_missing_have_no_decimal_point(tmp_path, mapped, missing):
    rows = [[7, "2026-01-31", customer, "A", 1, 1.0, "Tea"] for customer in (float(PHONE), missing)]
    columns = [pa.array(values) for values in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, NAMES), tmp_path / "orders.parquet")
    assert read(tmp_path / "orders.parquet", mapped)[c.CUSTOMER].to_pylist() == [PHONE, None]


HEADER = ",".join(NAMES)
# name -> (content, what the error must name)
WRONG_FILES = {
    "nothing.csv": (b"", ["nothing.csv"]),
    "nothing.jsonl": (b"", ["nothing.jsonl"]),
    "nothing.parquet": (b"", ["nothing.parquet", "0 bytes"]),
    "none.csv.gz": (b"not packed", ["none.csv.gz"]),
    "column.csv": (b"id,at,phone,sku,n,price\n1,2026-01-31,79165396205,A,1,1\n", ["column.csv", "'title'"]),
    "headless.csv": (b"1,2026-01-31,79165396205,A,2,3,Tea\n" * 2, ["headless.csv", "'id'"]),
    "phones.csv": (b"1,79165396205,79165396205\n" * 2, ["phones.csv", "'id'"]),
    "twice.csv": (
        b"id,id,at,phone,sku,n,price,title\n" + b"1,1,2026-01-31,79165396205,A,1,1,x\n",
        ["twice.csv", "more than one column 'id'"],
    ),
    "latin.csv": (
        f"{HEADER}\n1,2026-01-31,,A,1,1,Th\xe9\n".encode("latin-1"),
        ["latin.csv", "windows-1252", "encoding"],
    ),
    "orders.xlsx": (b"x", ["orders.xlsx", "workbook"]),
    "orders.csv.zip": (b"x", ["orders.csv.zip", "zip"]),
    "orders": (b"x", ["orders has an unknown format", ".csv", ".parquet"]),
    "orders.xml": (b"x", ["orders.xml has an unknown format", ".csv", ".parquet"]),
}


UTF8 = "Café".encode().decode("latin-1")  # UTF-8 in a text that is written as Latin-1
NOT_PLAIN = "is not an object of plain values"
# name -> (content, the fault of each bad line by its number, the ids of its good orders)
BAD_LINES = {
    "ragged.csv": (
        f"{HEADER}\n1,2026-01-31,{PHONE},A,1,1,x\n2,2026-01-31\n\n3,2026-01-31,,A,1,1,x,{PHONE}\n4,2026-01-31,,A,1,1,x\n",
        {3: "has 2 columns, the header has 7", 4: "has 8 columns, the header has 7"},
        ["1", "4"],
    ),
    "broken.csv.gz": (
        f"{HEADER}\n1,2026-01-31,,A,1,1,Thé\n2,2026-01-31,,A,1,1,{UTF8}\n3,2026-01-31,,A,1,1,Tea\n",
        {2: "is not valid UTF-8"},
        ["2", "3"],
    ),
    "mixed.jsonl": (
        jsonl(RECEIVED[:1]) + "{\n" + jsonl([[{"a": 1}, *RECEIVED[0][1:]], [5.0, *RECEIVED[0][1:]]]) + "7\n",
        {2: NOT_PLAIN, 3: NOT_PLAIN} | {5: NOT_PLAIN},
        ["1", "5"],
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_gets_its_file_number_and_fault_and_the_others_are_read(tmp_path, mapped, name):
    text, faults, good = BAD_LINES[name]
    content = text.encode("latin-1")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    rows = read(tmp_path / name, mapped)
    bad = rows.filter(pc.is_valid(rows[c.FAULT]))
    assert dict(zip(bad[c.LINE].to_pylist(), bad[c.FAULT].to_pylist(), strict=True)) == faults
    assert set(bad[c.SOURCE].to_pylist()) == {name}
    assert bad[c.CUSTOMER].null_count == len(faults)
    assert rows.filter(pc.is_null(rows[c.FAULT]))[c.ORDER_ID].to_pylist() == good


def test_bad_lines_do_not_shift_the_numbers_of_others_in_a_long_file(tmp_path, mapped, seed):
    rng = random.Random(seed)
    bad = set(rng.sample(range(2, 200_002), 500))
    lines = ["1" if line in bad else f"{line},2026-01-31,,A,1,1,x" for line in range(2, 200_002)]
    (tmp_path / "long.csv").write_text("\n".join([HEADER, *lines]))
    rows = read(tmp_path / "long.csv", mapped)
    good = rows.filter(pc.is_null(rows[c.FAULT]))
    assert good[c.ORDER_ID].to_pylist() == [str(line) for line in good[c.LINE].to_pylist()]
    assert set(rows.filter(pc.is_valid(rows[c.FAULT]))[c.LINE].to_pylist()) == bad
    assert rows.num_rows == 200_000


def test_a_later_file_replaces_an_order_but_parts_of_one_table_do_not(tmp_path, mapped):
    folder = tmp_path / "orders"
    for part, rows in (("day=1/part-0", RECEIVED[:1]), ("day=1/part-1", RECEIVED[1:3])):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        frame(rows).to_parquet(f"{folder / part}.parquet")
    files = FileSource(str(folder), mapped)
    assert pulls.pull(files, LAST, False, silent)["new_order_lines"] == 3
    assert newest_orders(files) == [("1", "A", "2"), ("1", "B", "1"), ("2", "A", "-1")]
    frame([["1", "2026-01-30 10:00:00", PHONE, "A", 3, 1.5, "Tea"]]).to_csv(folder / "z.csv", index=False)
    assert pulls.pull(files, LAST, False, silent)["new_order_lines"] == 1
    assert newest_orders(files) == [("1", "A", "3"), ("2", "A", "-1")]
    assert pulls.pull(files, LAST, True, silent)["new_order_lines"] == 4
    assert newest_orders(files) == [("1", "A", "3"), ("2", "A", "-1")]


def test_a_file_that_arrives_during_a_pull_is_read_in_the_next(tmp_path, mapped):
    folder = tmp_path / "orders"
    folder.mkdir()
    frame(RECEIVED[:2]).to_csv(folder / "a.csv", index=False)
    files = FileSource(str(folder), mapped)

    def add_file(done, known, orders):
        frame(RECEIVED[2:]).to_csv(folder / "b.csv", index=False)

    assert pulls.pull(files, LAST, False, add_file)["new_order_lines"] == 2
    assert pulls.pull(files, LAST, False, silent)["new_order_lines"] == 2
    assert [line[0] for line in newest_orders(files)] == ["1", "1", "2", "3"]


def test_a_corrected_file_replaces_its_bad_lines_and_product_names(tmp_path, mapped):
    file = tmp_path / "orders.csv"
    file.write_text(f"{HEADER}\n1,2026-01-31,,A,1,1,\n2,2026-01-31\n")
    files = FileSource(str(file), mapped)
    pulls.pull(files, LAST, False, silent)
    file.write_text(f"{HEADER}\n1,2026-01-31,,A,1,1,Tea\n2,2026-01-31,,A,1,1,Tea\n")
    assert pulls.pull(files, LAST, False, silent)["new_order_lines"] == 2
    names = [c.ORDER_ID, c.NAME, c.FAULT, c.SOURCE, *raw.VERSION]
    rows = versions.newest_versions(raw.read(raw.pulls(files.name), names).to_pandas())
    assert sorted(rows[[c.ORDER_ID, c.NAME]].itertuples(index=False, name=None)) == [
        ("1", "Tea"),
        ("2", "Tea"),
    ]
    assert rows[c.FAULT].isna().all()


def test_a_changed_mapping_discards_the_pages_of_a_killed_run(tmp_path, mapped, monkeypatch):
    frame().to_csv(tmp_path / "orders.csv", index=False)
    append = raw.append

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(raw, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        pulls.pull(FileSource(str(tmp_path / "orders.csv"), mapped), LAST, False, silent)
    monkeypatch.setattr(raw, "append", append)
    Path(mapped).write_text(MAPPING.replace('product = "sku"', 'product = "title"'))
    files = FileSource(str(tmp_path / "orders.csv"), mapped)
    pulls.pull(files, LAST, False, silent)
    assert {line[1] for line in newest_orders(files)} == {"Tea", "Mug, blue", "Tea, green", None}


def test_files_are_ordered_by_the_numbers_in_their_names(tmp_path, mapped):
    folder = tmp_path / "orders"
    folder.mkdir()
    for number in (9, 10):
        rows = [["1", "2026-01-30 10:00:00", PHONE, "A", number, 1.5, "Tea"]]
        frame(rows).to_csv(folder / f"orders-{number}.csv", index=False)
    files = FileSource(str(folder), mapped)
    pulls.pull(files, LAST, False, silent)
    assert newest_orders(files) == [("1", "A", "10")]


@pytest.mark.parametrize("content", ['{"id": "\\ud800"}', "[" * 100_000, '{"id": 1'])
def test_a_line_that_is_almost_json_is_a_bad_line(tmp_path, mapped, content):
    (tmp_path / "orders.jsonl").write_text(f"{content}\n{jsonl(RECEIVED[:1])}")
    rows = read(tmp_path / "orders.jsonl", mapped)
    assert rows[c.FAULT].to_pylist() == [NOT_PLAIN, None]


def newest_orders(files):
    names = [c.ORDER_ID, c.PRODUCT, c.QUANTITY, c.SOURCE, *raw.VERSION]
    rows = raw.read(raw.pulls(files.name), names).to_pandas()
    rows = versions.newest_versions(rows)[[c.ORDER_ID, c.PRODUCT, c.QUANTITY]]
    return sorted(rows.itertuples(index=False, name=None), key=str)


def error_of(path, mapping):
    """Returns the message of the error, which must be one line and must not quote personal data."""
    with pytest.raises(NightshelfError) as raised:
        read(path, mapping)
    message = str(raised.value)
    assert "\n" not in message
    assert PHONE not in message
    return message


@pytest.mark.parametrize("name", WRONG_FILES)
def test_an_unusable_file_is_one_clear_error_without_its_values(tmp_path, mapped, name):
    content, expected_parts = WRONG_FILES[name]
    (tmp_path / name).write_bytes(content)
    message = error_of(tmp_path / name, mapped)
    assert [part for part in expected_parts if part not in message] == [], message


def test_the_error_names_the_file_of_a_folder_that_lacks_a_column(tmp_path, mapped):
    folder = tmp_path / "orders"
    folder.mkdir()
    frame().to_csv(folder / "a.csv", index=False)
    frame().drop(columns="price").to_csv(folder / "b.csv", index=False)
    assert "b.csv has no column 'price'" in error_of(folder, mapped)


@pytest.mark.parametrize("path", ["", "not/there.csv"])
def test_a_missing_file_is_named_with_the_setting(mapped, path):
    message = error_of(path, mapped)
    assert repr(path) in message
    assert "NIGHTSHELF_FILES_PATH" in message


def test_an_empty_folder_is_named(tmp_path, mapped):
    (tmp_path / "orders").mkdir()
    assert f"{tmp_path}/orders" in error_of(tmp_path / "orders", mapped)


@pytest.mark.parametrize(
    "at", ["31.01.2026", "1/31/2026 8:06 PM", "1769810400", "1769810400000", "31-Jan-2026"]
)
def test_the_last_day_is_that_of_times_in_any_format(tmp_path, mapped, at):
    frame([["1", at, PHONE, "A", 1, 1, "Tea"]]).to_csv(tmp_path / "orders.csv", index=False)
    assert FileSource(str(tmp_path / "orders.csv"), mapped).last_day(None) in (LAST, LAST - dt.timedelta(1))


@pytest.mark.parametrize(("zone", "days_before"), [("UTC", 1), ("Asia/Taipei", 0)])
def test_the_last_day_is_the_shops_day_of_times_in_the_time_zone_of_the_mapping(
    tmp_path, home, monkeypatch, zone, days_before
):
    """Midnight in Taipei is the day before in UTC: a run of the later day would find a day without orders."""
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", zone)
    settings.cache_clear()
    mapping = tmp_path / "taipei.toml"
    mapping.write_text("timezone = 'Asia/Taipei'\n" + MAPPING)
    frame([["1", str(LAST), PHONE, "A", 1, 1, "Tea"]]).to_csv(tmp_path / "orders.csv", index=False)
    day = FileSource(str(tmp_path / "orders.csv"), str(mapping)).last_day(None)
    assert day == LAST - dt.timedelta(days=days_before)


def test_times_that_are_no_dates_need_as_of(tmp_path, mapped):
    frame([["1", "in winter", PHONE, "A", 1, 1, "Tea"]]).to_csv(tmp_path / "orders.csv", index=False)
    with pytest.raises(NightshelfError, match=r"'at' of orders\.csv .*--as-of"):
        FileSource(str(tmp_path / "orders.csv"), mapped).last_day(None)


WRONG_MAPPINGS = {
    "lacks a column": (MAPPING.replace('product = "sku"', ""), "lacks product under"),
    "has an unknown column": (MAPPING + 'colour = "x"', "colour under"),
    "has an unknown key": ("zone = 3\n" + MAPPING, "zone: Extra inputs"),
    "has a key without a column": (MAPPING.replace('"product", "name"', '"brand"'), "names brand, "),
    "has an unknown time zone": ("timezone = 'Europe/Lodon'\n" + MAPPING, "timezone: .*Europe/London"),
    "has an invalid regular expression": (
        "not_products = '('\n" + MAPPING,
        "not_products: .*regular expression",
    ),
    "is not TOML": ("[columns", "can't be read"),
}


@pytest.mark.parametrize("case", WRONG_MAPPINGS)
def test_an_invalid_mapping_is_one_clear_error(tmp_path, case):
    frame().to_csv(tmp_path / "orders.csv", index=False)
    text, named = WRONG_MAPPINGS[case]
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text)
    with pytest.raises(NightshelfError, match=rf"wrong\.toml.*{named}") as raised:
        FileSource(str(tmp_path / "orders.csv"), str(wrong))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "online_retial", "not/there.toml"])
def test_an_unknown_mapping_is_named_with_the_shipped_mappings(tmp_path, name):
    (tmp_path / "orders.csv").touch()
    with pytest.raises(NightshelfError, match=f"no mapping '{name}'.*online_retail_ii"):
        FileSource(str(tmp_path / "orders.csv"), name)


def test_the_shipped_mapping_reads_its_dataset(data):
    files = FileSource(str(data("online_retail_ii.parquet")), "online_retail_ii")
    assert files.last_day(None) == dt.date(2011, 12, 9)
    staging = Staging(files.name, files.plan)
    files.orders(None, staging, silent)
    assert sum(rows.num_rows for rows in staging.read()) == 1_067_370


def test_every_shipped_mapping_is_valid():
    for file in Path(MAPPINGS).glob("*.toml"):
        FileSource(str(file), file.stem)


def test_a_weight_is_read_as_written_and_is_null_in_pulls_of_an_older_release(home, mapped, tmp_path):
    file = tmp_path / "shop.parquet"
    frame().assign(margin=[0.5, None, 2.0, -1.0]).to_parquet(file)
    Path(mapped).write_text(MAPPING + 'weight = "margin"\n')
    source = FileSource(str(file), mapped)
    assert pulls.pull(source, LAST, False, silent)["new_order_lines"] == 4
    (pull,) = raw.pulls(source.name)
    assert raw.read([pull], [c.WEIGHT])[c.WEIGHT].to_pylist() == ["0.5", None, "2", "-1"]
    part = f"{tables.current_path(pull)}/part-0.parquet"
    pq.write_table(pq.read_table(part).drop_columns([c.WEIGHT]), part)
    assert raw.read([pull], [c.WEIGHT])[c.WEIGHT].to_pylist() == [None] * 4
    assert pulls.pull(source, LAST, True, silent)["new_order_lines"] == 4
