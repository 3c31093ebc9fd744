"""The expectations of a nightly run, from its measures and the bounds of thresholds.toml."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from expectations.measure import Measure
from expectations.thresholds import Bound, Bounds, Severity

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
