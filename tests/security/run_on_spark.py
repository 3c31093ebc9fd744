"""`python run_on_spark.py MASTER FILE`: makes a file where Spark runs, as the user of its executors."""

import sys

from pyspark.sql import SparkSession


def main() -> None:
    """Fails if Spark refuses the application."""
    master, file = sys.argv[1:]
    builder = SparkSession.builder
    if master.startswith("sc://"):
        builder.remote(master).getOrCreate().range(1).write.csv(file)
        return
    spark = builder.master(master).config("spark.ui.enabled", "false").getOrCreate()

    def make(_: object) -> str:
        with open(file, "w") as made:  # noqa: PTH123 - without imports of this module
            return made.name

    spark.sparkContext.parallelize([0], 1).map(make).collect()
    spark.stop()


if __name__ == "__main__":
    main()
