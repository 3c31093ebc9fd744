"""What counts as a file of orders: archives, stray and empty files, and files that were moved or touched."""

import bz2
import datetime as dt
import gzip
import logging
import os
import zipfile

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines import columns as c
from pipelines.extract import pulls, raw, versions
from pipelines.extract.files import FileSource
from pipelines.extract.readers import archives
from pipelines.extract.source import LastPull
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent
from serving.errors import NightshelfError

HEADER = "id,at,who,sku,n,price\n"
MAPPING = """
[columns]
order_id = "id"
ordered_at = "at"
customer = "who"
product = "sku"
quantity = "n"
unit_price = "price"
"""


@pytest.fixture
def mapped(tmp_path):
    (tmp_path / "shop.toml").write_text(MAPPING)
    return str(tmp_path / "shop.toml")


@pytest.fixture
def folder(home, tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def orders(*quantities, first=1):
    """Returns a text of orders, one line each, with these quantities."""
    lines = (f"{first + i},2026-01-31 10:00:00,C1,P1,{n},2.50\n" for i, n in enumerate(quantities))
    return HEADER + "".join(lines)


def read(path, mapping):
    source = FileSource(str(path), mapping)
    staging = Staging(source.name, source.plan)
    source.orders(None, staging, silent)
    return pa.concat_tables(staging.read())


def pull(path, mapping, day="2026-02-01"):
    return pulls.pull(FileSource(str(path), mapping), dt.date.fromisoformat(day), False, silent)[
        "new_order_lines"
    ]


def quantities(path, mapping):
    """Returns the quantity of each order in its newest version."""
    names = [c.ORDER_ID, c.QUANTITY, c.SOURCE, *raw.VERSION]
    rows = versions.newest_versions(
        raw.read(raw.pulls(FileSource(str(path), mapping).name), names).to_pandas()
    )
    return dict(sorted(zip(rows[c.ORDER_ID], rows[c.QUANTITY], strict=True)))


COMPRESSORS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: bytes(pa.compress(data, "zstd")),
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("name", ["orders.csv", "ORDERS.TXT", "orders.tsv"])
def test_text_is_read_whatever_its_name_and_compression(folder, mapped, name, suffix):
    text = orders(1, 2).replace(",", "\t") if name.endswith("tsv") else orders(1, 2)
    (folder / (name + suffix.upper())).write_bytes(COMPRESSORS[suffix](text.encode()))
    assert read(folder, mapped)[c.QUANTITY].to_pylist() == ["1", "2"]


def test_an_archive_is_read_like_a_folder(folder, mapped):
    with zipfile.ZipFile(folder / "orders.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2026/b.csv", orders(2, first=2))
        archive.writestr("2026/a.csv.gz", gzip.compress(orders(1).encode()))
        archive.writestr("readme.txt", "Orders of the shop")
        archive.writestr("__MACOSX/2026/._b.csv", "x")
    rows = read(folder, mapped)
    assert rows[c.QUANTITY].to_pylist() == ["1", "2"]
    assert rows[c.SOURCE].to_pylist() == ["orders.zip/2026/a.csv.gz", "orders.zip/2026/b.csv"]
    assert read(folder / "orders.zip", mapped)[c.QUANTITY].to_pylist() == ["1", "2"]


@pytest.mark.parametrize("name", ["../orders.csv", "/etc/orders.csv", "..\\orders.csv", "C:\\orders.csv"])
def test_an_archive_with_names_that_lead_out_of_it_is_refused(folder, mapped, name):
    with zipfile.ZipFile(folder / "orders.zip", "w") as archive:
        archive.writestr(name, orders(1))
    with pytest.raises(NightshelfError, match=r"orders\.zip holds files whose names"):
        read(folder, mapped)


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.csv.gz"])
def test_content_that_unpacks_beyond_bounds_is_refused(folder, mapped, name, monkeypatch):
    monkeypatch.setattr(archives.check_size, "__defaults__", (1 << 20,))
    content = orders(1).encode() + b"\n" * (1 << 25)
    if name.endswith("zip"):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("orders.csv", content)
    else:
        (folder / name).write_bytes(gzip.compress(content))
    with pytest.raises(NightshelfError, match="unpacks to more than"):
        read(folder, mapped)


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", b"no archive"])
def test_a_broken_archive_is_one_clear_error(folder, mapped, content):
    (folder / "orders.zip").write_bytes(content)
    with pytest.raises(NightshelfError, match=r"orders\.zip"):
        read(folder, mapped)


STRAY = ["readme.txt", "README", "ReadMe.md", "Thumbs.db", "desktop.ini", ".DS_Store", "~$orders.xlsx"]
STRAY += [
    ".~lock.orders.csv#",
    "orders.csv.part",
    "orders.csv.tmp",
    "orders.csv.filepart",
    "orders.csv~",
    "notes.docx",
]
STRAY += ["export.log", "logo.png", ".hidden/orders.csv"]
EMPTY = ["quiet.csv", "quiet.xlsx", "quiet.parquet", "quiet.json"]


def test_stray_and_empty_files_are_passed_over_and_named(folder, mapped, caplog):
    (folder / "orders.csv").write_text(orders(1, 2))
    (folder / ".hidden").mkdir()
    for name in STRAY:
        (folder / name).write_text("Orders of the shop, as of today\n")
    for name in EMPTY:
        (folder / name).touch()
    (folder / "quiet.csv.gz").write_bytes(gzip.compress(b""))
    (folder / "blank.csv").write_bytes(b"\xef\xbb\xbf\r\n")
    with caplog.at_level(logging.WARNING):
        assert read(folder, mapped)[c.QUANTITY].to_pylist() == ["1", "2"]
    (warning,) = [record.getMessage() for record in caplog.records if "without orders" in record.getMessage()]
    assert "more" in warning


@pytest.mark.parametrize("names", [STRAY, EMPTY, ["quiet.csv", "readme.txt"]])
def test_a_folder_with_nothing_else_is_an_error(folder, mapped, names):
    (folder / ".hidden").mkdir()
    for name in names:
        (folder / name).write_text("" if name in EMPTY else "x")
    with pytest.raises(NightshelfError, match=f"{folder}.*{names[-1]}|and .* more"):
        read(folder, mapped)


@pytest.mark.parametrize("name", ["orders.xml", "orders.7z", "orders.tar.gz", "part-00000"])
def test_a_file_that_may_hold_orders_in_an_unknown_format_is_not_passed_over(folder, mapped, name):
    (folder / "a.csv").write_text(orders(1))
    (folder / name).write_text("x")
    with pytest.raises(NightshelfError, match=f"{name} has an unknown format"):
        read(folder, mapped)


def touch(folder):
    os.utime(folder / "a.csv", (2e9, 2e9))


def compress(folder):
    (folder / "z.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    (folder / "a.csv").unlink()


def pack(folder):
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.write(folder / "a.csv", "a.csv")
    (folder / "a.csv").unlink()


def move(folder):
    (folder / "z").mkdir()
    (folder / "a.csv").rename(folder / "z" / "a.csv")


def rename(folder):
    (folder / "a.csv").rename(folder / "z.csv")


def copy(folder):
    (folder / "z.csv").write_bytes((folder / "a.csv").read_bytes())


CHANGES = [touch, compress, pack, move, rename, copy]


@pytest.mark.parametrize("change", CHANGES)
def test_an_old_file_that_is_handled_does_not_win_over_later_corrections(folder, mapped, change):
    (folder / "a.csv").write_text(orders(1, 1))
    assert pull(folder, mapped) == 2
    (folder / "b.csv").write_text(orders(5))
    assert pull(folder, mapped) == 1
    change(folder)
    assert pull(folder, mapped) == 0
    assert quantities(folder, mapped) == {"1": "5", "2": "1"}


def test_an_old_file_that_was_away_for_a_pull_does_not_win_either(folder, mapped):
    (folder / "a.csv").write_text(orders(1, 1))
    pull(folder, mapped)
    (folder / "b.csv").write_text(orders(5))
    (folder / "a.csv").rename(folder.parent / "a.csv")
    pull(folder, mapped)
    (folder.parent / "a.csv").rename(folder / "c.csv")
    assert pull(folder, mapped) == 0
    assert quantities(folder, mapped) == {"1": "5", "2": "1"}


def test_a_file_that_is_changed_and_changed_back_is_read_each_time(folder, mapped):
    for quantity in (1, 5, 1):
        (folder / "a.csv").write_text(orders(quantity))
        assert pull(folder, mapped) == 1
        assert quantities(folder, mapped) == {"1": str(quantity)}


def test_the_watermark_of_an_older_release_is_understood(folder, mapped):
    (folder / "a.csv").write_text(orders(1))
    source = FileSource(str(folder), mapped)
    stat = (folder / "a.csv").stat()
    last = LastPull(last_day="2026-01-31", reached={"files": {"a.csv": [stat.st_size, stat.st_mtime_ns]}})
    staging = Staging(source.name, source.plan)
    position = source.orders(last, staging, silent)
    assert staging.pages() == []
    assert len(position["files"]["a.csv"]) == 3


SPLIT = MAPPING + "[file]\nsplit_orders = true\n"


def test_the_lines_of_an_order_may_lie_in_several_files(folder, mapped, tmp_path):
    (tmp_path / "split.toml").write_text(SPLIT)
    mapping = str(tmp_path / "split.toml")
    (folder / "a.csv").write_text(orders(1, 2))
    assert pull(folder, mapping) == 2
    (folder / "b.csv").write_text(orders(7))
    pull(folder, mapping)
    source = FileSource(str(folder), mapping)
    names = [c.ORDER_ID, c.QUANTITY, c.SOURCE, *raw.VERSION]
    rows = versions.newest_versions(raw.read(raw.pulls(source.name), names).to_pandas(), split=True)
    assert sorted(zip(rows[c.ORDER_ID], rows[c.QUANTITY], strict=True)) == [
        ("1", "1"),
        ("1", "7"),
        ("2", "2"),
    ]
    assert source.dialect.row_key == (c.ORDER_ID, c.LINE, c.SOURCE)


def test_the_folder_and_the_file_can_be_columns(folder, mapped, tmp_path):
    (tmp_path / "stores.toml").write_text(MAPPING.replace('"id"', '{ join = ["@folder", "@file", "id"] }'))
    (folder / "de").mkdir()
    (folder / "de" / "a.csv").write_text(orders(1))
    (folder / "b.csv").write_text(orders(1))
    rows = read(folder, str(tmp_path / "stores.toml"))
    assert sorted(rows[c.ORDER_ID].to_pylist()) == ["de/a.csv/1", "in/b.csv/1"]


def test_blank_parts_make_no_key(folder, mapped, tmp_path):
    (tmp_path / "day.toml").write_text(MAPPING.replace('"id"', '{ join = ["who", "at"] }'))
    (folder / "a.csv").write_text(orders(1, 2).replace("C1", "", 1))
    assert pc.is_null(read(folder, str(tmp_path / "day.toml"))[c.ORDER_ID]).to_pylist() == [True, False]
