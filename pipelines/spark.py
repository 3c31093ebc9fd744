"""The one Spark session of a process."""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from pipelines.java import check_java
from pipelines.settings import settings

LOGGING = Path(__file__).with_name("log4j2.properties")


def session() -> SparkSession:
    """The session at the master, or the Spark Connect address, of the settings.

    Raises NightshelfError where a local Spark finds no Java 17 or newer.
    """
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else the workers take the system's python
    master = settings().spark_master
    builder = SparkSession.builder.appName("nightshelf").config("spark.sql.session.timeZone", "UTC")
    builder = builder.config("spark.sql.execution.arrow.pyspark.enabled", "true")
    if master.startswith("sc://"):
        return builder.remote(master).getOrCreate()
    check_java()
    return _local(builder.master(master)).getOrCreate()


def _local(builder: SparkSession.Builder) -> SparkSession.Builder:
    return (
        builder.config("spark.driver.memory", settings().spark_memory)
        .config("spark.driver.bindAddress", settings().host)
        .config("spark.driver.host", settings().host)
        .config("spark.ui.enabled", "false")  # its plans and its tables would show what is in the lake
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.warehouse.dir", str(settings().state / "spark-warehouse"))
        .config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={LOGGING.as_uri()}")
    )
