"""Runs the suites in a file context of Great Expectations and builds the Data Docs."""

import datetime as dt
import html
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import great_expectations as gx
import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.checkpoint.checkpoint import CheckpointResult
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import FileDataContext, data_context_variables
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.findings import Finding, outside
from expectations.measure import Measure
from expectations.suites import Expectation

DAY = "day"

# Two loggers ignore the level that `expectations/__init__.py` sets: importing Great Expectations sets the
# first to INFO, and the second is named by its file.
logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.NOTSET)
data_context_variables.logger.setLevel(logging.WARNING)


def check(
    home: Path, as_of: dt.date, expectations: Sequence[Expectation], measures: Sequence[Measure]
) -> list[Finding]:
    """Returns the expectations that the measures don't meet.

    Runs the checkpoint of the nightly run of the day `as_of` and builds its Data Docs below `home`.
    """
    context = _open(home)
    names = list(dict.fromkeys(expectation.suite for expectation in expectations))
    suites = [suite(name, [item for item in expectations if item.suite == name]) for name in names]
    result = _run(context, as_of, suites, table(measures))
    # The pages of earlier runs exist already.
    pages = [*result.run_results, *map(ExpectationSuiteIdentifier, names)]
    context.build_data_docs(resource_identifiers=pages)  # type: ignore[arg-type] # it accepts both kinds
    failed = _failed(result)
    return [Finding(item, outside(item, measures)) for item in expectations if _key(item) in failed]


def _open(home: Path) -> FileDataContext:
    """Returns the file context below `home`, without analytics and progress bars; creates it if missing."""
    folder = home / "expectations"
    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    return context


def _run(
    context: FileDataContext, as_of: dt.date, suites: list[ExpectationSuite], rows: pd.DataFrame
) -> CheckpointResult:
    batch = (
        context.data_sources.add_or_update_pandas("measures")
        .add_dataframe_asset("days")
        .add_batch_definition_whole_dataframe("night")
    )
    validations = [
        context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=suite.name, data=batch, suite=context.suites.add_or_update(suite))
        )
        for suite in suites
    ]
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(name="night", validation_definitions=validations)
    )
    return checkpoint.run(batch_parameters={"dataframe": rows}, run_id=RunIdentifier(f"night-{as_of}"))


def _failed(result: CheckpointResult) -> set[tuple[str, str, str]]:
    """Returns suite, measure and severity of each expectation that failed."""
    failed = set()
    for run in result.run_results.values():
        for item in run.results:
            config = item.expectation_config
            if config and not item.success:
                severity = FailureSeverity(config.severity).value
                failed.add((run.suite_name, config.kwargs["column"], severity))
    return failed


def _key(expectation: Expectation) -> tuple[str, str, str]:
    return expectation.suite, expectation.measure, expectation.severity


def suite(name: str, expected: Iterable[Expectation]) -> ExpectationSuite:
    """Returns a suite of Great Expectations; a day without an expectation's measure is no failure."""
    return ExpectationSuite(name=name, expectations=[_between(expectation) for expectation in expected])


def table(measures: Iterable[Measure]) -> pd.DataFrame:
    """Returns the table that the suites validate: one row per checked day, one column per measure."""
    cells = [(measure.day, measure.name, measure.value) for measure in measures]
    rows = pd.DataFrame(cells, columns=[DAY, "name", "value"])
    wide = rows.pivot(index=DAY, columns="name", values="value").reset_index()
    return wide.rename_axis(columns=None).astype({DAY: str})


def _between(expectation: Expectation) -> gxe.ExpectColumnValuesToBeBetween:
    return gxe.ExpectColumnValuesToBeBetween(
        column=expectation.measure,
        min_value=expectation.low,
        max_value=expectation.high,
        severity=FailureSeverity(expectation.severity),
        description=_description(expectation),
    )


def _description(expectation: Expectation) -> str:
    """Returns the expectation in words, as HTML: Data Docs show it unchanged, and thresholds.toml is text."""
    sides = (("at least", expectation.low), ("at most", expectation.high))
    limits = " and ".join(f"{side} {limit:.4g}" for side, limit in sides if limit is not None)
    return html.escape(f"{expectation.measure} is {limits}; otherwise: {expectation.why}")
