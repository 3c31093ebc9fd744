"""One number that a night is judged by."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

Scale = Literal["ratio", "difference", "figure"]


@dataclass(frozen=True)
class Measure:
    """One number of one day, and how it is told.

    scale: a ratio to the usual, a difference from it, or a figure of its own; spread: how much it varies
    from day to day, of a ratio in logarithms, of a difference in its unit.
    """

    name: str
    day: dt.date
    value: float
    told: str
    scale: Scale = "figure"
    spread: float = 0.0
