"""Great Expectations' file context: suites in, what they find and Data Docs out."""

import datetime as dt
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import great_expectations as gx
import pandas as pd
from great_expectations.checkpoint.checkpoint import CheckpointResult
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import FileDataContext
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.measure import Measure
from expectations.suites import Rule, suite, table

TALKATIVE = ("great_expectations", "great_expectations.data_context.types.base")  # it sets levels of its own


@dataclass(frozen=True)
class Finding:
    """A rule that a night broke, and the measures that broke it."""

    rule: Rule
    measures: tuple[Measure, ...]

    def __str__(self) -> str:
        days = "; ".join(f"{one.day:%a %Y-%m-%d}: {one.told}" for one in self.measures)
        return f"{days} ({self.rule.why})"


def check(home: Path, night: dt.date, rules: Sequence[Rule], measures: Sequence[Measure]) -> list[Finding]:
    """The rules that the measures break, after the night's checkpoint; its Data Docs are built."""
    context = _open(home)
    names = list(dict.fromkeys(rule.suite for rule in rules))
    suites = [suite(name, [rule for rule in rules if rule.suite == name]) for name in names]
    result = _run(context, night, suites, table(measures))
    pages = [*result.run_results, *map(ExpectationSuiteIdentifier, names)]  # all others are there already
    context.build_data_docs(resource_identifiers=pages)
    broken = _broken(result)
    return [Finding(rule, _breaking(rule, measures)) for rule in rules if _key(rule) in broken]


def _open(home: Path) -> FileDataContext:
    """The file context of a home, made where there is none."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = home / "expectations"
    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    return context


def _run(
    context: FileDataContext, night: dt.date, suites: list[ExpectationSuite], rows: pd.DataFrame
) -> CheckpointResult:
    batch = (
        context.data_sources.add_or_update_pandas("measures")
        .add_dataframe_asset("days")
        .add_batch_definition_whole_dataframe("night")
    )
    validations = [
        context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=one.name, data=batch, suite=context.suites.add_or_update(one))
        )
        for one in suites
    ]
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(name="night", validation_definitions=validations)
    )
    return checkpoint.run(batch_parameters={"dataframe": rows}, run_id=RunIdentifier(f"night-{night}"))


def _broken(result: CheckpointResult) -> set[tuple[str, str, str]]:
    """Suite, measure and severity of each expectation that failed."""
    found = set()
    for run in result.run_results.values():
        for one in run.results:
            if not one.success:
                config = one.expectation_config
                severity = FailureSeverity(config.severity).value
                found.add((run.suite_name, config.kwargs["column"], severity))
    return found


def _key(rule: Rule) -> tuple[str, str, str]:
    return rule.suite, rule.measure, rule.severity


def _breaking(rule: Rule, measures: Sequence[Measure]) -> tuple[Measure, ...]:
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    of_rule = [one for one in measures if one.name == rule.measure]
    return tuple(one for one in of_rule if one.value < low or one.value > high)
