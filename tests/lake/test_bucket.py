"""The lake in a bucket of a real S3 server: what holds in a folder holds there, too."""

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
REPLACED = 12  # times

# Replaces the table once for each line that it gets; every row of a version says which version it is.
WRITER = f"""
import sys, numpy as np, pyarrow as pa
from pipelines import lake
for number, _ in enumerate(sys.stdin):
    # Noise takes its time to be written.
    lake.write("{TABLE}", pa.table({{"n": [number] * {ROWS}, "noise": np.random.rand({ROWS})}}))
    print(number, flush=True)
"""

# Spark writes from the very table that it replaces, and reads what Arrow wrote, in a process with its jars.
SPARK = f"""
import pyarrow as pa
from pipelines import lake
from pipelines.spark import session
spark = session()
lake.write("{TABLE}", pa.table({{"n": [1, 2, 3]}}))
rows = lake.read_spark(spark, "{TABLE}")
lake.write_spark("{TABLE}", rows.where("n > 1"))
lake.write_spark("{TABLE}", lake.read_spark(spark, "{TABLE}").repartition(2))
print(sorted(lake.read("{TABLE}")["n"].to_pylist()))
"""


@pytest.fixture(scope="module")
def buckets():
    with bucket() as url:
        yield url


@pytest.fixture
def url(buckets, request, tmp_path):
    """The lake of one test, in a folder of the bucket."""
    found = f"{buckets}/{request.node.name.partition('[')[0]}"
    with fresh_home(tmp_path, LAKE=found):
        yield found


def run(script, *arguments):
    """The output of a script in a process of its own, which has the settings of the test."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def versions(url):
    return {key.partition("/")[0] for key in keys(f"{url}/{TABLE}")} - {tables.POINTER}


def test_a_table_is_replaced_whole_and_the_one_before_is_kept(url):
    for rows in (OLD, NEW, OLD):
        assert tables.write(TABLE, rows) == rows.num_rows
        assert tables.read(TABLE) == rows
    held = tables.current(TABLE)
    tables.write(TABLE, NEW)
    assert tables.read_path(held) == OLD
    assert tables.read(TABLE, ["name"]) == NEW.select(["name"])
    assert versions(url) == {held.rpartition("/")[2], tables.version(TABLE)}
    assert uploads(url) == []


def test_what_fails_leaves_the_table_before_and_no_half(url):
    def fail(path):
        pq.write_table(NEW, f"{path}/part-0.parquet", filesystem=files.at(path)[0])
        raise OSError("the network is gone")

    tables.write(TABLE, OLD)
    with pytest.raises(OSError, match="network is gone"):
        tables.replace(TABLE, fail)
    assert tables.read(TABLE) == OLD
    before = keys(url)
    with pytest.raises(RuntimeError, match="in between"), tables.whole("a/file") as file:
        file.write(b"x" * 6_000_000)  # more than what is uploaded at once
        raise RuntimeError("in between")
    assert (keys(url), uploads(url)) == (before, [])
    tables.write(TABLE, NEW)
    assert len(versions(url)) == 2


def test_who_reads_beside_a_writer_that_is_killed_sees_whole_tables(url, seed):
    tables.write(TABLE, pa.table({"n": [-1] * ROWS}))
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        written = poll()  # select() refuses the numbers of a process that holds a thousand files
        written.register(writer.stdout, POLLIN)
        for number in range(REPLACED):
            print(file=writer.stdin, flush=True)
            while not written.poll(0):  # as often as it can be read meanwhile
                assert seen() in (number - 1, number)
            assert int(writer.stdout.readline()) == number
            assert seen() == number  # what another process writes is seen: no listing is remembered
        print(file=writer.stdin, flush=True)
        time.sleep(random.Random(seed).uniform(0, 0.1))
        writer.kill()
    assert seen() in (REPLACED - 1, REPLACED)
    tables.write(TABLE, NEW)
    assert tables.read(TABLE) == NEW
    assert len(versions(url)) == 2


def seen():
    """The number in all rows of the table."""
    found = tables.read(TABLE)["n"]
    assert (len(found), len(found.unique())) == (ROWS, 1)
    return found[0].as_py()


def test_files_and_folders_are_listed_and_removed_as_on_disk(url):
    assert (tables.entries("live"), list(tables.files())) == ([], [])
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
    with pytest.raises(NightshelfError, match=rf"no table 'baskets' in {url}: run a night first"):
        tables.read("baskets")


def test_a_person_is_forgotten_in_a_bucket(url):
    who, other = "a" * 64, "b" * 64
    tables.write(tables.ORDERS, pa.table({c.CUSTOMER: [who, other, who, None], "n": [1, 2, 3, 4]}))
    gone = ForgottenCustomers({who: "2026-01-31"})
    assert scrub(gone) == {"orders": 2}
    assert count_remaining(gone) == {"orders": 0}
    assert tables.read(tables.ORDERS)["n"].to_pylist() == [2, 4]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "odd [1]*?.csv"])
def test_an_export_goes_to_a_bucket(url, name):
    to, schema = f"{url}/{name}", pa.schema([("n", pa.int32())])
    for numbers in ([1, 2], [3]):
        with targets.opened(to, schema, ["n"], "") as write:
            write(pa.table({"n": numbers}, schema=schema))
    fs, path = files.at(to)
    content = fs.cat_file(path)
    read = pq.read_table(pa.BufferReader(content)).to_pydict() if "parquet" in name else content
    assert read in ({"n": [3]}, b'"n"\n3\n')


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"NIGHTSHELF_LAKE": "s3://nobodys-bucket/lake"},
            r"no bucket for the lake in s3://nobodys-bucket/lake",
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
def test_a_lake_out_of_reach_is_one_line(url, variables, told, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    settings.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(NightshelfError, match=told) as caught:
        tables.exists(TABLE)
    assert "secret" not in str(caught.value)
    s3fs.S3FileSystem.clear_instance_cache()


def test_without_its_packages_a_bucket_is_one_line(url):
    done = run(
        "import sys; sys.modules['s3fs'] = None; from pipelines.cli import main; main()", "quarantine", "list"
    )
    told = f"nightshelf: the lake in {url} needs packages that aren't installed: pip install 'nightshelf[s3]'"
    assert (done.returncode, done.stderr.strip()) == (1, told)


def test_the_jars_are_those_of_sparks_own_hadoop():
    assert list(Path(pyspark.__file__).parent.glob(f"jars/hadoop-client-api-{s3a.HADOOP}.jar"))


def test_spark_reads_and_writes_the_bucket(url):
    done = run(SPARK)
    log = settings().state / "spark.log"
    if log.exists() and "unresolved dependency" in log.read_text():
        pytest.skip("Maven's repository can't be reached for the jars of S3A")
    assert done.stdout == "[2, 3]\n", done.stderr
    assert len(versions(url)) == 2
    assert not [key for key in keys(url) if "_temporary" in key]
