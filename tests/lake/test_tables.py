"""A table is replaced atomically, even if its writer fails or is killed."""

import random
import subprocess
import sys
import time
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from frames import tuples

from pipelines.lake import tables
from pipelines.settings import settings
from serving.errors import NightshelfError

TABLE = "raw/orders/date=2026-01-31"
OLD, NEW = pa.table({"n": [1, 2, 3], "name": ["a", "b", None]}), pa.table({"n": [4], "name": ["d"]})
ROWS = 200_000

# Replaces the table forever; every row of a version holds the version's number.
WRITER = f"""
import itertools, pyarrow as pa
from pipelines.lake import tables
for number in itertools.count():
    tables.write("{TABLE}", pa.table({{"n": [number] * {ROWS}}}))
    print(number, flush=True)
"""


def entries() -> set[str]:
    return {path.name for path in (settings().home / "lake" / TABLE).iterdir()}


@pytest.mark.parametrize("lake_url", ["", "file://{home}/elsewhere"])
def test_write_replaces_the_whole_table(home, monkeypatch, lake_url):
    monkeypatch.setenv("NIGHTSHELF_LAKE", lake_url.format(home=home))
    settings.cache_clear()
    assert tables.write(TABLE, OLD) == 3
    assert tables.read(TABLE) == OLD
    assert tables.write(TABLE, NEW) == 1
    assert tables.read(TABLE) == NEW
    assert tables.read(TABLE, ["name"]) == NEW.select(["name"])


@pytest.mark.parametrize("engine", ["duckdb", "spark"], indirect=True)
def test_the_engine_and_arrow_read_each_others_tables(home, engine):
    tables.write(TABLE, OLD)
    rows = tables.scan(TABLE)
    assert tuples(rows.order_by("n")) == [(1, "a"), (2, "b"), (3, None)]
    tables.write_computed(TABLE, rows.filter(rows.n > 1))  # reads from the table that it replaces
    assert tables.read(TABLE).sort_by("n").to_pylist() == OLD.slice(1).to_pylist()


def test_the_previous_version_stays_readable(home):
    tables.write(TABLE, OLD)
    path = tables.current_path(TABLE)
    tables.write(TABLE, NEW)
    assert pq.read_table(path) == OLD


def test_a_failing_writer_leaves_the_old_table_and_no_other_files(home):
    def fail(url):
        Path(url).mkdir()
        Path(url, "part-0.parquet").write_bytes(b"half")
        raise OSError("the disk is broken")

    tables.write(TABLE, OLD)
    before = entries()
    with pytest.raises(OSError, match="disk is broken"):
        tables.replace(TABLE, fail)
    assert tables.read(TABLE) == OLD
    assert entries() == before


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A lake on a disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    process = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if process.returncode:
        pytest.skip("mounting a small disk needs root")
    monkeypatch.setenv("NIGHTSHELF_LAKE", str(folder))
    settings.cache_clear()
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)  # Spark may still hold a file


@pytest.mark.parametrize("engine", ["duckdb", "spark"], indirect=True)
def test_a_full_disk_is_an_error_that_leaves_the_old_table_and_frees_the_space(home, engine, small_disk):
    noise = random.Random(1).randbytes(3_000_000)
    rows = ibis.range(1_000_000).unnest().name("n").as_table().mutate(text=ibis.uuid())
    tables.write(TABLE, OLD)
    before = {path.name for path in (small_disk / TABLE).iterdir()}
    for write in (
        lambda: tables.write(TABLE, pa.table({"text": [noise]})),
        lambda: tables.write_computed(TABLE, rows),
        lambda: tables.put(f"{TABLE}/more", noise),
    ):
        message = rf"{TABLE}.* can't be written to the lake {small_disk}: No space left on device"
        with pytest.raises(NightshelfError, match=message):
            write()
        assert tables.read(TABLE) == OLD
        assert {path.name for path in (small_disk / TABLE).iterdir()} == before


def test_a_killed_writer_leaves_a_whole_table_and_the_next_writer_cleans_up(home, seed):
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(3):
            writer.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.1))
        writer.kill()
        written = [2, *map(int, writer.stdout.read().split())]
    numbers = tables.read(TABLE)["n"]
    assert len(numbers) == ROWS
    assert numbers.unique().to_pylist()[0] in (written[-1], written[-1] + 1)
    assert len(numbers.unique()) == 1
    before = Path(tables.current_path(TABLE)).name
    tables.write(TABLE, NEW)
    assert entries() == {tables.POINTER, before, Path(tables.current_path(TABLE)).name}


def test_reading_a_table_that_was_never_written_names_table_and_lake(home):
    with pytest.raises(
        NightshelfError, match=rf"{home}/lake has no table 'baskets': run `nightshelf retrain`"
    ):
        tables.read("baskets")


def test_the_first_write_stamps_the_lake_with_its_format(home):
    assert not tables.exists(TABLE)
    assert not (home / "lake").exists()
    tables.write(TABLE, OLD)
    assert (home / "lake" / tables.STAMP).read_text() == str(tables.FORMAT)


def test_refuses_a_lake_of_a_later_format(home):
    (home / "lake").mkdir()
    (home / "lake" / tables.STAMP).write_text("2")
    for access in (
        lambda: tables.read(TABLE),
        lambda: tables.write(TABLE, OLD),
        lambda: list(tables.file_paths()),
    ):
        with pytest.raises(
            NightshelfError, match=r"format 2 of a later release, and this release reads format 1"
        ):
            access()
    assert [path.name for path in (home / "lake").iterdir()] == [tables.STAMP]


def test_a_lake_without_a_stamp_is_read_and_stamped_on_write(home):
    folder = home / "lake" / TABLE / "0123456789abcdef0123456789abcdef"
    folder.mkdir(parents=True)
    pq.write_table(OLD, folder / "part-0.parquet")
    (home / "lake" / TABLE / tables.POINTER).write_text(folder.name)
    assert tables.read(TABLE) == OLD
    assert not (home / "lake" / tables.STAMP).exists()
    tables.write(TABLE, NEW)
    assert tables.load(tables.STAMP) == str(tables.FORMAT).encode()


def test_a_lake_that_is_a_file_is_an_error_naming_the_setting(home):
    (home / "lake").write_text("")
    with pytest.raises(
        NightshelfError, match=r"lake can't be reached \(NotADirectoryError\): check NIGHTSHELF_L"
    ):
        tables.exists(TABLE)


def test_keep_latest_removes_all_but_the_last_entries(home):
    for day in (3, 1, 2):
        tables.write(f"live/date=2026-01-0{day}/run=a", OLD)
    tables.keep_latest("live", 2)
    assert tables.entries("live") == ["date=2026-01-02", "date=2026-01-03"]
    tables.keep_latest("nothing", 2)


def test_a_version_is_readable_until_it_has_been_replaced_twice(home):
    assert not tables.exists(TABLE)
    tables.write(TABLE, OLD)
    assert tables.exists(TABLE)
    first = tables.current_version(TABLE)
    tables.write(TABLE, NEW)
    assert tables.read_path(tables.version_path(TABLE, first)) == OLD
    tables.write(TABLE, NEW)
    with pytest.raises(NightshelfError, match=f"have replaced the table '{TABLE}'"):
        tables.version_path(TABLE, first)
