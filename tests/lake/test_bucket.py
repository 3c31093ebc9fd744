"""The lake in a bucket of a real S3 server has the same guarantees as in a folder."""

import random
import subprocess
import sys
import time
from pathlib import Path
from select import POLLIN, poll

import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
import s3fs
from buckets import bucket, keys, uploads
from homes import fresh_home

from pipelines import columns as c
from pipelines.batch import targets
from pipelines.lake import files, s3a, tables
from pipelines.privacy.forgotten import ForgottenCustomers, count_remaining, scrub
from pipelines.settings import settings
from serving.errors import NightshelfError

TABLE = "raw/orders/date=2026-01-31"
OLD, NEW = pa.table({"n": [1, 2, 3], "name": ["a", "b", None]}), pa.table({"n": [4], "name": ["d"]})
ROWS = 500_000
REPLACEMENTS = 12

# Replaces the table once per line of input; every row of a version holds the version's number.
WRITER = f"""
import sys, numpy as np, pyarrow as pa
from pipelines.lake import tables
for number, _ in enumerate(sys.stdin):
    # Noise doesn't compress, so writing it takes time.
    tables.write("{TABLE}", pa.table({{"n": [number] * {ROWS}, "noise": np.random.rand({ROWS})}}))
    print(number, flush=True)
"""

# The engine reads a table that Arrow wrote, and replaces the table it reads from; Spark needs S3A's jars.
ENGINE = f"""
import pyarrow as pa
from pipelines.lake import tables
tables.write("{TABLE}", pa.table({{"n": [1, 2, 3]}}))
rows = tables.scan("{TABLE}")
tables.write_computed("{TABLE}", rows.filter(rows.n > 1))
tables.write_computed("{TABLE}", tables.scan("{TABLE}"))
print(sorted(tables.read("{TABLE}")["n"].to_pylist()))
"""


@pytest.fixture(scope="module")
def buckets():
    with bucket() as url:
        yield url


@pytest.fixture
def url(buckets, request, tmp_path):
    """The URL of one test's lake: a folder of the bucket."""
    lake = f"{buckets}/{request.node.name.partition('[')[0]}"
    with fresh_home(tmp_path, LAKE=lake):
        yield lake


def run(script, *arguments):
    """The completed process of a script, which runs with the settings of the test."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def versions(url):
    return {key.partition("/")[0] for key in keys(f"{url}/{TABLE}")} - {tables.POINTER}


def test_write_replaces_the_whole_table_and_keeps_the_previous_version(url):
    for rows in (OLD, NEW, OLD):
        assert tables.write(TABLE, rows) == rows.num_rows
        assert tables.read(TABLE) == rows
    path = tables.current_path(TABLE)
    tables.write(TABLE, NEW)
    assert tables.read_path(path) == OLD
    assert tables.read(TABLE, ["name"]) == NEW.select(["name"])
    assert versions(url) == {path.rpartition("/")[2], tables.current_version(TABLE)}
    assert uploads(url) == []


def test_a_failed_write_leaves_the_old_table_and_no_partial_files(url):
    def fail(path):
        pq.write_table(NEW, f"{path}/part-0.parquet", filesystem=files.resolve(path)[0])
        raise OSError("the network is gone")

    tables.write(TABLE, OLD)
    with pytest.raises(OSError, match="network is gone"):
        tables.replace(TABLE, fail)
    assert tables.read(TABLE) == OLD
    before = keys(url)
    with pytest.raises(RuntimeError, match="in between"), tables.atomic_write("a/file") as file:
        file.write(b"x" * 6_000_000)  # more than one part of the upload
        raise RuntimeError("in between")
    assert (keys(url), uploads(url)) == (before, [])
    tables.write(TABLE, NEW)
    assert len(versions(url)) == 2


def test_readers_see_whole_tables_while_a_writer_works_and_is_killed(url, seed):
    tables.write(TABLE, pa.table({"n": [-1] * ROWS}))
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        output = poll()  # select() refuses file descriptors above 1023
        output.register(writer.stdout, POLLIN)
        for number in range(REPLACEMENTS):
            print(file=writer.stdin, flush=True)
            while not output.poll(0):  # read as often as possible during the write
                assert number_in_table() in (number - 1, number)
            assert int(writer.stdout.readline()) == number
            assert number_in_table() == number  # no listing is cached, so other processes' writes show
        print(file=writer.stdin, flush=True)
        time.sleep(random.Random(seed).uniform(0, 0.1))
        writer.kill()
    assert number_in_table() in (REPLACEMENTS - 1, REPLACEMENTS)
    tables.write(TABLE, NEW)
    assert tables.read(TABLE) == NEW
    assert len(versions(url)) == 2


def number_in_table():
    """The number that all rows of the table hold."""
    numbers = tables.read(TABLE)["n"]
    assert (len(numbers), len(numbers.unique())) == (ROWS, 1)
    return numbers[0].as_py()


def test_files_and_folders_are_listed_and_removed_as_on_disk(url):
    assert (tables.entries("live"), list(tables.file_paths())) == ([], [])
    for day in (3, 1, 2):
        tables.write(f"live/date=2026-01-0{day}/run=a", OLD)
    tables.keep_latest("live", 2)
    assert tables.entries("live") == ["date=2026-01-02", "date=2026-01-03"]
    tables.put("live/note.json", b"{}")
    assert tables.load("live/note.json") == b"{}"
    tables.put("live/empty", b"")
    assert tables.load("live/empty") == b""
    tables.remove("live")
    tables.remove("live")
    assert keys(url) == {tables.STAMP}
    with pytest.raises(FileNotFoundError):
        tables.load("live/note.json")
    with pytest.raises(NightshelfError, match=rf"{url} has no table 'baskets': run `nightshelf retrain`"):
        tables.read("baskets")


def test_forgets_a_customer_in_a_bucket(url):
    customer, other = "a" * 64, "b" * 64
    tables.write(tables.ORDERS, pa.table({c.CUSTOMER: [customer, other, customer, None], "n": [1, 2, 3, 4]}))
    forgotten = ForgottenCustomers({customer: "2026-01-31"})
    assert scrub(forgotten) == {"orders": 2}
    assert count_remaining(forgotten) == {"orders": 0}
    assert tables.read(tables.ORDERS)["n"].to_pylist() == [2, 4]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "odd [1]*?.csv"])
def test_exports_to_a_bucket(url, name):
    to, schema = f"{url}/{name}", pa.schema([("n", pa.int32())])
    for numbers in ([1, 2], [3]):
        with targets.open_target(to, schema, ["n"], "") as write:
            write(pa.table({"n": numbers}, schema=schema))
    fs, path = files.resolve(to)
    content = fs.cat_file(path)
    read = pq.read_table(pa.BufferReader(content)).to_pydict() if "parquet" in name else content
    assert read in ({"n": [3]}, b'"n"\n3\n')


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"NIGHTSHELF_LAKE": "s3://missing-bucket/lake"},
            r"the bucket of the lake s3://missing-bucket/lake doesn't exist",
        ),
        ({"NIGHTSHELF_LAKE": "s4://bucket/lake"}, r"s4://bucket/lake can't be reached \(ValueError\)"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, r"can't be reached \(EndpointConnectionError\)"),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/"},
            r"\(NoCredentialsError\): check",
        ),
        ({"NIGHTSHELF_LAKE": "s3://me:secret@bucket/lake"}, r"NIGHTSHELF_LAKE: .* are AWS_\* variables"),
    ],
)
def test_an_unreachable_lake_is_an_error_saying_what_to_check(url, variables, message, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    settings.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(NightshelfError, match=message) as caught:
        tables.exists(TABLE)
    assert "secret" not in str(caught.value)
    s3fs.S3FileSystem.clear_instance_cache()


def test_without_the_s3_packages_a_bucket_is_an_error_naming_the_extra(url):
    process = run(
        "import sys; sys.modules['s3fs'] = None; from pipelines.cli import main; main()", "quarantine", "list"
    )
    message = (
        f"nightshelf: the lake in {url} needs packages that aren't installed: pip install 'nightshelf[s3]'"
    )
    assert (process.returncode, process.stderr.strip()) == (1, message)


def test_the_jars_have_the_version_of_sparks_own_hadoop():
    assert list(Path(pyspark.__file__).parent.glob(f"jars/hadoop-client-api-{s3a.HADOOP}.jar"))


@pytest.mark.parametrize("master", ["", "local[*]"], ids=["duckdb", "spark"])
def test_the_engine_reads_and_writes_the_bucket(url, monkeypatch, master):
    monkeypatch.setenv("NIGHTSHELF_SPARK_MASTER", master)
    process = run(ENGINE)
    log = settings().state / "spark.log"
    if log.exists() and "unresolved dependency" in log.read_text():
        pytest.skip("Maven's repository can't be reached for the jars of S3A")
    assert process.stdout == "[2, 3]\n", process.stderr
    assert len(versions(url)) == 2
    assert not [key for key in keys(url) if "_temporary" in key]
