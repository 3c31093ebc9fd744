"""Great Expectations' file context: suites in, verdict and Data Docs out."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.data_context import FileDataContext
from great_expectations.expectations.metadata_types import FailureSeverity
from pyspark.sql import DataFrame

TALKATIVE = ("great_expectations", "great_expectations.data_context.types.base")  # it sets levels of its own


@dataclass(frozen=True)
class Finding:
    """One expectation that a table did not meet."""

    table: str
    severity: str
    expectation: str
    observed: str

    def __str__(self) -> str:
        return f"{self.table}: {self.expectation} (found {self.observed})"


def open_context(home: Path) -> FileDataContext:
    """The file context of a project, made where there is none."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = home / "expectations"
    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    return context


def check(context: FileDataContext, table: str, rows: DataFrame, suite: ExpectationSuite) -> list[Finding]:
    """What of a suite a table doesn't meet, after a run of the table's checkpoint."""
    source = context.data_sources.add_or_update_spark("lake")
    batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("night")
    saved = context.suites.add_or_update(suite)
    validation = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=table, data=batch, suite=saved)
    )
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(name=table, validation_definitions=[validation])
    )
    result = checkpoint.run(batch_parameters={"dataframe": rows})
    return [_finding(table, failed) for failed in _failed(result.run_results.values())]


def _failed(runs: Iterable[Any]) -> list[Any]:
    return [result for run in runs for result in run.results if not result.success]


def _finding(table: str, failed: Any) -> Finding:
    config = failed.expectation_config
    severity = FailureSeverity(config.severity or "critical").value
    observed = failed.result.get("observed_value", failed.result.get("unexpected_percent", "an error"))
    return Finding(table, severity, (config.meta or {}).get("why", config.type), str(observed))
