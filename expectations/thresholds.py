"""What a night is held against: thresholds.toml, read and checked."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from serving import toml
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("thresholds.toml")

Severity = Literal["critical", "warning"]


class _Part(FrozenModel):
    why: str = Field(min_length=1)


class RowBound(_Part):
    """A number that a row rule goes by."""

    value: float = Field(gt=0)


class RowBounds(FrozenModel):
    """The numbers of the row rules."""

    largest_quantity: RowBound
    price_factor: RowBound
    price_lines: RowBound


class Bound(_Part):
    """Where a measure of a night has to lie; without a side, that side is open.

    spreads: a measure that varies from day to day may be off by as many of its own spreads, if that
    is further than min or max.
    """

    min: float | None = None
    max: float | None = None
    spreads: float = Field(0, ge=0)


Bounds = dict[str, dict[Severity, Bound]]  # measure -> severity -> bound


class Thresholds(FrozenModel):
    """All of thresholds.toml: the row rules' numbers, and a suite of bounds per topic."""

    rows: RowBounds
    orders: Bounds
    customers: Bounds
    catalogue: Bounds


@cache
def thresholds() -> Thresholds:
    """The file's content; raises NightshelfError naming what is wrong in it."""
    return toml.read(Thresholds, FILE, f"expectations/{FILE.name}")
