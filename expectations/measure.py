"""A measure: a number that describes one day of the shop."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

Scale = Literal["ratio", "difference", "figure"]


@dataclass(frozen=True)
class Measure:
    """The value of one measure on one day.

    message: the value in words, for logs and reports.
    scale: a ratio to the usual value, a difference from it, or a figure, which is compared with no other day.
    spread: how much the measure varies from day to day: in logarithms for a ratio, in the measure's own
    unit for a difference.
    """

    name: str
    day: dt.date
    value: float
    message: str
    scale: Scale = "figure"
    spread: float = 0.0
