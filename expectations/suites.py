"""The suites: a night's measures, each with the bounds that thresholds.toml sets."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.measure import Measure
from expectations.thresholds import Bound, Bounds, Severity

DAY = "day"


@dataclass(frozen=True)
class Rule:
    """A bound of a suite as it holds tonight: for which measure, how severe, from where to where."""

    suite: str
    measure: str
    severity: Severity
    low: float | None
    high: float | None
    why: str


def rules(suite: str, bounds: Bounds, measures: Sequence[Measure]) -> Iterator[Rule]:
    """The bounds of those measures that could be taken tonight."""
    for name, severities in bounds.items():
        taken = [one for one in measures if one.name == name]
        for severity, bound in severities.items() if taken else ():
            yield Rule(suite, name, severity, *limits(bound, taken), bound.why)


def limits(bound: Bound, taken: Sequence[Measure]) -> tuple[float | None, float | None]:
    """From where to where a measure may lie: at least min to max, further where it varies that much."""
    off = bound.spreads * max(one.spread for one in taken)
    scale = taken[0].scale
    down, up = (math.exp(-off), math.exp(off)) if scale == "ratio" else (-off, off)
    if scale == "figure":
        return bound.min, bound.max
    low = None if bound.min is None else min(bound.min, down)
    return low, None if bound.max is None else max(bound.max, up)


def suite(name: str, held: Iterable[Rule]) -> ExpectationSuite:
    """The expectations of a suite, one per bound; a day without the measure is no failure."""
    return ExpectationSuite(name=name, expectations=[_expectation(rule) for rule in held])


def table(measures: Iterable[Measure]) -> pd.DataFrame:
    """What the suites look at: a row per judged day, a column per measure."""
    rows = pd.DataFrame([(one.day, one.name, one.value) for one in measures], columns=[DAY, "name", "value"])
    wide = rows.pivot(index=DAY, columns="name", values="value").reset_index()
    return wide.rename_axis(columns=None).astype({DAY: str})


def _expectation(rule: Rule) -> gxe.ExpectColumnValuesToBeBetween:
    return gxe.ExpectColumnValuesToBeBetween(
        column=rule.measure,
        min_value=rule.low,
        max_value=rule.high,
        severity=FailureSeverity(rule.severity),
        description=_told(rule),
    )


def _told(rule: Rule) -> str:
    sides = (("at least", rule.low), ("at most", rule.high))
    held = " and ".join(f"{side} {limit:.4g}" for side, limit in sides if limit is not None)
    return f"{rule.measure} is {held}, or else: {rule.why}"
