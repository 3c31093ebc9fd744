"""The Spark session that a process shares."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipelines.lake import s3a
from pipelines.lake.java import CONNECT, check_java
from pipelines.settings import EVERYWHERE, settings
from serving.errors import NightshelfError

LOCAL = "local[*]"
STDERR = 2
PARTITIONS = 8  # of a shuffle, at least
PARTITION_ROWS = 500_000
LOGGING = Path(__file__).with_name("log4j2.properties")


def session() -> SparkSession:
    """Returns the session at NIGHTSHELF_SPARK_MASTER, or a local one if the setting names none.

    Raises NightshelfError if Java 17 or newer is missing, or if Spark can't be started.
    """
    logging.getLogger("py4j").setLevel(logging.WARNING)  # it reports each closed connection
    check_java()
    master = settings().spark_master or LOCAL
    _choose_python(master)
    try:
        return _start(master)
    except (PySparkException, Py4JError) as error:
        raise NightshelfError(
            f"Spark can't be started at {master} ({type(error).__name__}): check NIGHTSHELF_SPARK_MASTER and"
            f" NIGHTSHELF_SPARK_MEMORY{_jars_hint()}, and see {settings().state / 'spark.log'}"
        ) from None


def set_shuffle_partitions(rows: int) -> None:
    """Sets the number of shuffle partitions so that each holds at most PARTITION_ROWS of this many rows."""
    session().conf.set("spark.sql.shuffle.partitions", str(max(PARTITIONS, -(-rows // PARTITION_ROWS))))


def _choose_python(master: str) -> None:
    """Makes a local Spark use this Python; PYSPARK_PYTHON may name another path for a cluster."""
    if master.startswith("local") or "PYSPARK_PYTHON" not in os.environ:
        os.environ["PYSPARK_PYTHON"] = sys.executable


def _jars_hint() -> str:
    return (
        ", whether Maven's repository can be reached for the jars that a lake in a bucket needs"
        if s3a.options()
        else ""
    )


def _start(master: str) -> SparkSession:
    builder = SparkSession.builder.appName("nightshelf").config("spark.sql.session.timeZone", "UTC")
    builder = builder.config("spark.sql.execution.arrow.pyspark.enabled", "true")
    if master.startswith(CONNECT):
        return builder.remote(master).getOrCreate()
    with _stderr_to(settings().state / "spark.log"):
        return _driver(builder.master(master)).getOrCreate()


@contextmanager
def _stderr_to(file: Path) -> Iterator[None]:
    """Appends this process's stderr to a file within the block, for the start-up warnings of the JVM."""
    file.parent.mkdir(parents=True, exist_ok=True)
    saved = os.dup(STDERR)
    try:
        with file.open("ab") as log:
            os.dup2(log.fileno(), STDERR)
        yield
    finally:
        os.dup2(saved, STDERR)
        os.close(saved)


def _driver(builder: SparkSession.Builder) -> SparkSession.Builder:
    if settings().host not in EVERYWHERE:  # otherwise executors find the driver by this machine's name
        builder = builder.config("spark.driver.host", settings().host)
    for name, value in s3a.options().items():
        builder = builder.config(name, value)
    return (
        builder.config("spark.driver.memory", settings().spark_memory)
        .config("spark.driver.bindAddress", settings().host)
        .config("spark.executor.memory", settings().spark_executor_memory)
        .config("spark.cores.max", settings().spark_cores)
        .config("spark.ui.enabled", "false")  # it would show data of the lake in query plans
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(PARTITIONS))
        .config("spark.sql.inMemoryColumnarStorage.compressed", "false")  # distinct texts compress little
        .config("spark.hadoop.fs.permissions.umask-mode", "077")  # Hadoop doesn't ask the process
        .config("spark.sql.warehouse.dir", str(settings().state / "spark-warehouse"))
        .config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={LOGGING.as_uri()}")
    )
