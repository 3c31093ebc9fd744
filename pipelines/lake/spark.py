"""The one Spark session of a process."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipelines.lake import s3a
from pipelines.lake.java import CONNECT, check_java
from pipelines.settings import EVERYWHERE, settings
from serving.errors import NightshelfError

Result = TypeVar("Result")

STDERR = 2
PARTS = 8  # of a shuffle, at least
PART_ROWS = 500_000
LOGGING = Path(__file__).with_name("log4j2.properties")


def session() -> SparkSession:
    """The session at the master, or the Spark Connect address, of the settings.

    Raises NightshelfError where a local Spark finds no Java 17 or newer, or Spark can't be started.
    """
    check_java()
    master = settings().spark_master
    _name_python(master)
    try:
        return _started(master)
    except (PySparkException, Py4JError) as error:
        raise NightshelfError(
            f"Spark can't be started at {master} ({type(error).__name__}): check NIGHTSHELF_SPARK_MASTER and"
            f" NIGHTSHELF_SPARK_MEMORY{_jars()}, and see {settings().state / 'spark.log'}"
        ) from None


def spread(spark: SparkSession, rows: int) -> None:
    """Lets Spark work on this many rows in parts that fit the memory of one core each."""
    spark.conf.set("spark.sql.shuffle.partitions", str(max(PARTS, -(-rows // PART_ROWS))))


def at_once(*jobs: Callable[[], Result]) -> list[Result]:
    """The results of jobs that Spark works at together; a short one waits more than it computes."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(lambda job: job(), jobs))


def _name_python(master: str) -> None:
    """Says which python Spark's workers take, else the system's; elsewhere it may have another place."""
    if master.startswith("local") or "PYSPARK_PYTHON" not in os.environ:
        os.environ["PYSPARK_PYTHON"] = sys.executable


def _jars() -> str:
    return ", whether Maven's repository gives the jars for a lake in a bucket" if s3a.options() else ""


def _started(master: str) -> SparkSession:
    builder = SparkSession.builder.appName("nightshelf").config("spark.sql.session.timeZone", "UTC")
    builder = builder.config("spark.sql.execution.arrow.pyspark.enabled", "true")
    if master.startswith(CONNECT):
        return builder.remote(master).getOrCreate()
    with _stderr_in(settings().state / "spark.log"):
        return _driver(builder.master(master)).getOrCreate()


@contextmanager
def _stderr_in(file: Path) -> Iterator[None]:
    """Gives the JVM that starts meanwhile a file for its stderr: it warns of modules that Spark asks for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = os.dup(STDERR)
    try:
        with file.open("ab") as log:
            os.dup2(log.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def _driver(builder: SparkSession.Builder) -> SparkSession.Builder:
    if settings().host not in EVERYWHERE:  # where executors find it; else it is this machine's name
        builder = builder.config("spark.driver.host", settings().host)
    for name, value in s3a.options().items():
        builder = builder.config(name, value)
    return (
        builder.config("spark.driver.memory", settings().spark_memory)
        .config("spark.driver.bindAddress", settings().host)
        .config("spark.executor.memory", settings().spark_executor_memory)
        .config("spark.cores.max", settings().spark_cores)
        .config("spark.ui.enabled", "false")  # its plans and its tables would show what is in the lake
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(PARTS))
        .config("spark.sql.inMemoryColumnarStorage.compressed", "false")  # texts that differ gain little
        .config("spark.sql.warehouse.dir", str(settings().state / "spark-warehouse"))
        .config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={LOGGING.as_uri()}")
    )
