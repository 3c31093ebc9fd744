"""What a nightly run doesn't meet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from expectations.measure import Measure
from expectations.suites import Expectation


@dataclass(frozen=True)
class Finding:
    """An expectation that a nightly run doesn't meet, and the measures outside its range."""

    expectation: Expectation
    measures: tuple[Measure, ...]

    def __str__(self) -> str:
        days = "; ".join(f"{measure.day:%a %Y-%m-%d}: {measure.message}" for measure in self.measures)
        return f"{days} ({self.expectation.why})"


def unmet(expectations: Sequence[Expectation], measures: Sequence[Measure]) -> list[Finding]:
    """Returns the expectations that the measures don't meet, as the checkpoint of a nightly run finds them.

    Great Expectations takes ten seconds to start, and leaves a checkpoint and Data Docs behind.
    """
    findings = [Finding(expectation, outside(expectation, measures)) for expectation in expectations]
    return [finding for finding in findings if finding.measures]


def outside(expectation: Expectation, measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Returns the measures outside the range of an expectation."""
    low = -math.inf if expectation.low is None else expectation.low
    high = math.inf if expectation.high is None else expectation.high
    own = [measure for measure in measures if measure.name == expectation.measure]
    return tuple(measure for measure in own if measure.value < low or measure.value > high)
