"""A small file of orders that would fill the memory or the disk ends the pull with a message."""

import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import write_ods, write_xlsx
from published import ONLINE_RETAIL

from pipelines import columns as c
from pipelines.extract.files import FileSource, file_lines
from pipelines.extract.join import JoinedFiles
from pipelines.extract.mapping import load_mapping
from pipelines.extract.readers import parquet, workbooks
from pipelines.extract.readers.documents import Document
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent
from serving.errors import NightshelfError

HEADER = list(ONLINE_RETAIL)
ORDER = ["1", "85123A", "HEART", "6", "2011-12-01 10:00:00", "2.55", "13085", "France"]

MAPPING = load_mapping("online_retail_ii")


def pulled(path, number=0):
    source = FileSource(str(path), "online_retail_ii")
    return source.orders(None, Staging(source.name, {"number": number}), silent)


def with_far_cell(path):
    """Writes a workbook of Excel with one cell in the last row and column of a sheet."""
    write_xlsx(path.with_name("near.xlsx"), {"orders": [HEADER, ORDER]})
    with zipfile.ZipFile(path.with_name("near.xlsx")) as near, zipfile.ZipFile(path, "w") as far:
        for name in near.namelist():
            content = near.read(name).replace(
                b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
            )
            far.writestr(name, content)
    path.with_name("near.xlsx").unlink()


def test_a_cell_far_away_does_not_end_the_process(home, tmp_path):
    with_far_cell(tmp_path / "orders.xlsx")
    with pytest.raises(NightshelfError, match=r"orders\.xlsx needs more than 4 GiB of memory"):
        pulled(tmp_path / "orders.xlsx")


@pytest.mark.parametrize(("name", "write"), [("orders.xlsx", write_xlsx), ("orders.ods", write_ods)])
def test_an_ordinary_workbook_is_tried_out_once(home, tmp_path, name, write):
    write(tmp_path / name, {"orders": [HEADER, ORDER]})
    before = workbooks._fits_into_memory.cache_info()
    pulled(tmp_path / name, 1)
    pulled(tmp_path / name, 2)
    after = workbooks._fits_into_memory.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 1)


def orders(rows, description):
    columns = {name: pa.array([value]) for name, value in zip(HEADER, ORDER, strict=True)}
    columns["Description"] = pa.array([description])
    first = pa.table(columns)
    return first.take(pa.array([0] * rows)) if rows < 10 else pa.table(
        {name: pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), column.combine_chunks())
         for name, column in zip(first.column_names, first.columns, strict=True)}
    )  # fmt: skip


def test_a_long_text_that_is_repeated_in_each_row_is_not_unfolded(home, tmp_path):
    pq.write_table(orders(65_536, "x" * 1_000_000), tmp_path / "orders.parquet")
    assert (tmp_path / "orders.parquet").stat().st_size < 200_000
    with pytest.raises(NightshelfError, match=r"orders\.parquet holds more than 256 MiB of text"):
        pulled(tmp_path / "orders.parquet")


def test_more_rows_than_bytes_are_refused(home, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "FREE_ROWS", 1_000)
    pq.write_table(orders(100_000, "HEART"), tmp_path / "orders.parquet")
    with pytest.raises(NightshelfError, match=r"orders\.parquet holds 100,000 rows in"):
        pulled(tmp_path / "orders.parquet")


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_long_text_of_another_type_is_not_unfolded_either(home, tmp_path, kind):
    rows = orders(65_536, "x" * 1_000).slice(0, 1).to_pylist() * 10
    rows = pa.Table.from_pylist(rows).drop_columns("Description")
    long = pa.array(["x" * (1 << 25)] * 10).cast(pa.large_string()).dictionary_encode()
    column = long.dictionary_decode() if pa.types.is_large_string(kind) else long.cast(kind)
    pq.write_table(rows.append_column("Description", column), tmp_path / "orders.parquet")
    with pytest.raises(NightshelfError, match="more than 256 MiB of text"):
        pulled(tmp_path / "orders.parquet")


def test_numbers_that_pandas_keeps_as_categories_are_read(home, tmp_path):
    rows = orders(3, "HEART").to_pandas()
    rows["CustomerID"] = rows["CustomerID"].astype(int).astype("category")
    rows["UnitPrice"] = rows["UnitPrice"].astype(float).astype("category")
    rows.to_parquet(tmp_path / "orders.parquet")
    (lines,) = file_lines(
        Document("orders.parquet", tmp_path / "orders.parquet"), JoinedFiles(MAPPING, tmp_path)
    )
    assert [lines[name].to_pylist() for name in (c.CUSTOMER, c.UNIT_PRICE)] == [["13085"] * 3, ["2.55"] * 3]


@pytest.mark.parametrize("name", [".", "./.", "a/.."])
def test_a_member_without_a_name_is_refused(home, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "orders.zip", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(NightshelfError, match="lead out of the archive"):
        pulled(tmp_path / "orders.zip")
