"""Workbooks of Excel and LibreOffice yield the same rows as text does."""

import datetime as dt
import zipfile

import pyarrow as pa
import pytest
from books import write_ods, write_xlsx

from pipelines import columns as c
from pipelines.extract.files import file_lines
from pipelines.extract.join import JoinedFiles
from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import archives
from pipelines.extract.readers.documents import Document
from serving.errors import NightshelfError

AT = dt.datetime(2026, 9, 21, 8, 6, 16)
HEADER = ["Invoice", "At", "Price", "Customer ID", "SKU", "Qty"]
ROWS = [
    ["1", AT, 1.5, 13085.0, "A-1", 3],
    ["2", AT + dt.timedelta(days=1), 1.234, None, 85048, 2],
    ["C3", AT + dt.timedelta(days=2), 2, 13085.0, "B,2", -1],
]
MAPPING = Mapping.model_validate(
    {
        "columns": {
            c.ORDER_ID: "invoice ",
            c.ORDERED_AT: "At",
            c.CUSTOMER: "Customer ID",
            c.PRODUCT: "SKU",
            c.QUANTITY: "Qty",
            c.UNIT_PRICE: "Price",
        }
    }
)
WRITERS = {"orders.xlsx": write_xlsx, "orders.ods": write_ods}


def read(path, mapping=MAPPING):
    tables = file_lines(Document(path.name, path), JoinedFiles(mapping, path))
    return pa.concat_tables(tables, promote_options="default")


def expected(rows=ROWS):
    return [
        [order, at.isoformat(" "), None if customer is None else "13085", str(sku), str(n), f"{price:g}"]
        for order, at, price, customer, sku, n in rows
    ]


def values(rows):
    names = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
    at = [text[:19] for text in rows[c.ORDERED_AT].to_pylist()]
    lists = [at if name == c.ORDERED_AT else rows[name].to_pylist() for name in names]
    return [list(row) for row in zip(*lists, strict=True)]


@pytest.mark.parametrize("name", WRITERS)
def test_a_sheet_is_read_with_numbers_times_and_ids_as_they_are(tmp_path, name):
    WRITERS[name](tmp_path / name, {"Orders": [HEADER, *ROWS]})
    rows = read(tmp_path / name)
    assert values(rows) == expected()
    assert rows[c.LINE].to_pylist() == [2, 3, 4]


@pytest.mark.parametrize("name", WRITERS)
def test_titles_above_the_header_and_totals_below_are_passed_over(tmp_path, name):
    blank = [None] * len(HEADER)
    sheet = [
        ["Orders of September", *blank[1:]],
        blank,
        HEADER,
        *ROWS,
        blank,
        ["Total", None, 9.5, *blank[3:]],
    ]
    WRITERS[name](tmp_path / name, {"Orders": sheet})
    rows = read(tmp_path / name)
    assert values(rows) == expected()
    assert rows[c.LINE].to_pylist() == [4, 5, 6]


@pytest.mark.parametrize("name", WRITERS)
def test_all_sheets_with_the_columns_are_read_or_those_that_the_mapping_names(tmp_path, name):
    sheets = {"2025": [HEADER, *ROWS[:1]], "About": [["This workbook"]], "2026": [HEADER, *ROWS[1:]]}
    WRITERS[name](tmp_path / name, sheets)
    assert values(read(tmp_path / name)) == expected()
    one = MAPPING.model_copy(update={"file": MAPPING.file.model_copy(update={"sheets": ("2026",)})})
    assert values(read(tmp_path / name, one)) == expected(ROWS[1:])
    other = MAPPING.model_copy(update={"file": MAPPING.file.model_copy(update={"sheets": ("2027",)})})
    with pytest.raises(NightshelfError, match="no sheet '2027'; its sheets are '2025', 'About', '2026'"):
        read(tmp_path / name, other)


def test_rows_of_several_sheets_have_different_numbers(tmp_path):
    write_xlsx(tmp_path / "orders.xlsx", {"a": [HEADER, *ROWS], "b": [HEADER, *ROWS]})
    lines = read(tmp_path / "orders.xlsx")[c.LINE].to_pylist()
    assert len(set(lines)) == len(lines) == 6


def test_a_missing_column_is_named_with_the_nearest_of_the_sheet(tmp_path):
    write_xlsx(tmp_path / "orders.xlsx", {"a": [["Invoice", "At", "Prise", "Customer", "SKU", "Qty"], *ROWS]})
    with pytest.raises(NightshelfError, match=r"no column 'Customer ID'; .*'Customer'"):
        read(tmp_path / "orders.xlsx")


def test_a_workbook_that_unpacks_beyond_bounds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.extract.readers.workbooks.FREE_BYTES", 1 << 20)
    path = tmp_path / "orders.xlsx"
    write_xlsx(path, {"a": [HEADER, *ROWS]})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/media/zeros", bytes(1 << 25))
    assert archives.MAX_RATIO * path.stat().st_size < (1 << 25)
    with pytest.raises(NightshelfError, match="unpacks to more than"):
        read(path)


@pytest.mark.parametrize("name", WRITERS)
def test_a_broken_workbook_is_one_clear_error(tmp_path, name):
    WRITERS[name](tmp_path / name, {"Orders": [HEADER, *ROWS]})
    content = (tmp_path / name).read_bytes()
    for part in (content[: len(content) // 2], b"PK\x03\x04" + bytes(100), b"not a workbook"):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(NightshelfError, match=name):
            read(tmp_path / name)
