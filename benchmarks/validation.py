"""Validation of all rows of Online Retail II, compared with Great Expectations on the rows themselves."""

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.processes import measure

ALLOWED = 45  # seconds for a million order lines, on two cores


def compare(file: Path, home: Path) -> str:
    """Returns the seconds of validation in its own process, without the start of Spark."""
    env = os.environ | {"NIGHTSHELF_HOME": str(home), "NIGHTSHELF_CUSTOMER_KEY": "a key for benchmarks"}
    output = measure([sys.executable, "-m", "benchmarks.validation", str(file)], env).output
    result = json.loads(output.splitlines()[-1])
    million = result["seconds"] / result["rows"] * 1e6
    days, expectations = result["days"], result["expectations"]
    return (
        "## Validation\n\n"
        f"{result['rows']:,} order lines of Online Retail II in a fresh process, without Spark's start:\n"
        f"row checks, quarantine, orders, catalogue, a profile of {days} days, {expectations} expectations\n"
        "checked by Great Expectations, and its Data Docs:\n"
        f"**{result['seconds']:.1f} s, {million:.1f} s per million lines** (allowed: {ALLOWED} s).\n\n"
        "Great Expectations on the rows of `orders` in Spark, warm, with only five expectations (unique\n"
        f"key, two columns without nulls, two bounds): {result['on_rows']:.1f} s.\n"
    )


def _validate(file: Path) -> dict[str, float]:
    """Returns counts and seconds of the step `validate` on a file."""
    from pipelines import nightly
    from pipelines.lake import tables
    from pipelines.lake.spark import session

    night = nightly.begin(source="files", path=str(file), mapping="online_retail_ii")
    nightly.run("extract", night)
    session()
    started = time.monotonic()
    counts = nightly.run("validate", night)
    seconds = time.monotonic() - started
    (source,) = tables.entries("validation")
    results = tables.read(f"validation/{source}/date={night.as_of}").to_pandas()
    return {
        "rows": counts["fetched"],
        "seconds": seconds,
        "days": tables.read(f"profile/{source}").num_rows,
        "expectations": len(results.drop_duplicates(["suite", "measure", "severity"])),
        "on_rows": _on_rows(),
    }


def _on_rows() -> float:
    """Returns the seconds that Great Expectations takes on the rows of table `orders`."""
    import great_expectations as gx
    from great_expectations import expectations as gxe

    from pipelines import columns as c
    from pipelines.lake import tables
    from pipelines.lake.spark import session

    context = gx.get_context(mode="ephemeral")
    batch = (
        context.data_sources.add_spark("lake")
        .add_dataframe_asset("orders")
        .add_batch_definition_whole_dataframe("night")
    )
    suite = context.suites.add(gx.ExpectationSuite(name="orders"))
    for expectation in (
        gxe.ExpectCompoundColumnsToBeUnique(column_list=[c.ORDER_ID, c.PRODUCT]),
        gxe.ExpectColumnValuesToNotBeNull(column=c.ORDER_ID),
        gxe.ExpectColumnValuesToNotBeNull(column=c.PRODUCT),
        gxe.ExpectColumnValuesToBeBetween(column=c.UNIT_PRICE, min_value=0),
        gxe.ExpectColumnMaxToBeBetween(column=c.QUANTITY, max_value=100_000),
    ):
        suite.add_expectation(expectation)
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="orders", data=batch, suite=suite)
    )
    started = time.monotonic()
    definition.run(batch_parameters={"dataframe": session().read.parquet(tables.current_path(tables.ORDERS))})
    return time.monotonic() - started


if __name__ == "__main__":
    print(json.dumps(_validate(Path(sys.argv[1]))))
