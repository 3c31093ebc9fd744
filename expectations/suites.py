"""Builds the suites of Great Expectations from a nightly run's measures and the bounds of thresholds.toml."""

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
WARNING_ONLY = "__"  # between a measure's name and the reason why its value may only cause a warning


@dataclass(frozen=True)
class Expectation:
    """The range in which a measure has to lie in this nightly run; a side that is None is open."""

    suite: str
    measure: str
    severity: Severity
    low: float | None
    high: float | None
    why: str


def expectations(suite: str, bounds: Bounds, measures: Sequence[Measure]) -> Iterator[Expectation]:
    """Yields the expectations of a suite: one per bound whose measure this nightly run has.

    A measure with WARNING_ONLY in its name gets the bounds of the name before that, as a warning.
    """
    names = dict.fromkeys(measure.name for measure in measures)
    for plain, severities in bounds.items():
        for name in [name for name in names if name.partition(WARNING_ONLY)[0] == plain]:
            values = [measure for measure in measures if measure.name == name]
            for severity, bound in _enforced(severities, name != plain):
                yield Expectation(suite, name, severity, *limits(bound, values), bound.why)


def _enforced(bounds: dict[Severity, Bound], only_warns: bool) -> list[tuple[Severity, Bound]]:
    if not only_warns:
        return list(bounds.items())
    narrowest = bounds.get("warning") or bounds.get("critical")
    return [("warning", narrowest)] if narrowest else []


def limits(bound: Bound, measures: Sequence[Measure]) -> tuple[float | None, float | None]:
    """Returns the lowest and the highest allowed value of a measure; None leaves that side open.

    They are the bound's min and max, or `bound.spreads` spreads from the usual value if that is further.
    measures: the same measure on several days; the widest spread counts.
    """
    deviation = bound.spreads * max(measure.spread for measure in measures)
    scale = measures[0].scale
    if scale == "figure":
        return bound.min, bound.max
    down, up = (math.exp(-deviation), math.exp(deviation)) if scale == "ratio" else (-deviation, deviation)
    low = None if bound.min is None else min(bound.min, down)
    return low, None if bound.max is None else max(bound.max, up)


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
    sides = (("at least", expectation.low), ("at most", expectation.high))
    limits = " and ".join(f"{side} {limit:.4g}" for side, limit in sides if limit is not None)
    return f"{expectation.measure} is {limits}; otherwise: {expectation.why}"
