"""Reads and validates thresholds.toml, the bounds that a nightly run has to meet."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from serving import toml
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("thresholds.toml")

Severity = Literal["critical", "warning"]


class _Explained(FrozenModel):
    why: str = Field(min_length=1)


class RowBound(_Explained):
    """A number that a row check uses."""

    value: float = Field(gt=0)


class RowBounds(FrozenModel):
    """The numbers of the row checks."""

    largest_quantity: RowBound
    price_factor: RowBound
    price_lines: RowBound


class Bound(_Explained):
    """The range in which a measure has to lie; a missing min or max leaves that side open.

    spreads: a measure that varies from day to day may deviate by this many of its own spreads, if that is
    further than min or max.
    """

    min: float | None = None
    max: float | None = None
    spreads: float = Field(0, ge=0)


Bounds = dict[str, dict[Severity, Bound]]  # measure -> severity -> bound


class Thresholds(FrozenModel):
    """The content of thresholds.toml: the numbers of the row checks, and one suite of bounds per topic."""

    rows: RowBounds
    orders: Bounds
    customers: Bounds
    catalogue: Bounds


@cache
def thresholds() -> Thresholds:
    """Returns the content of thresholds.toml.

    Raises NightshelfError, which names the faulty key, if the file can't be read or is invalid.
    """
    return toml.read(Thresholds, FILE, f"expectations/{FILE.name}")
