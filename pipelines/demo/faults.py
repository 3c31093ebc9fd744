"""Faults that the demo shop injects on purpose, to test its clients, and how often."""

import math
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from serving import toml
from serving.toml import FrozenModel


def _fits(share: float, info: ValidationInfo) -> float:
    # The shares are the first fields, so `data` holds only shares so far.
    if math.fsum([*info.data.values(), share]) > 1:
        raise ValueError("with this share the sum of all shares is above 1")
    return share


Share = Annotated[float, Field(ge=0, le=1), AfterValidator(_fits)]
Seconds = Annotated[float, Field(ge=0)]


class Shares(FrozenModel, allow_inf_nan=False):
    """The share of requests, 0 to 1, with each kind of fault; a request has at most one fault."""

    server_error: Share = 0
    too_many: Share = 0
    slow: Share = 0
    reset: Share = 0
    truncated: Share = 0
    malformed: Share = 0
    duplicated: Share = 0
    shifted: Share = 0
    wrong_type: Share = 0


KINDS = tuple(Shares.model_fields)


class Faults(Shares):
    """The faults in responses to requests for orders and goods; by default none.

    Shares of requests, whose sum is at most 1:

    - server_error: status 500
    - too_many: status 429 with `Retry-After: retry_after`
    - slow: the response comes after slow_seconds
    - reset: the connection breaks in the middle of the body
    - truncated: the JSON is cut in the middle
    - malformed: the body is no JSON
    - duplicated: the content of another page
    - shifted: the page starts up to 3 entries earlier or later
    - wrong_type: one field has another type

    The same seed draws the same faults for the same sequence of requests. growth: how many more of today's
    orders each successful request for orders lists. latency: seconds added to every response. quiet_days:
    numbers of days without orders, counted from the shop's first day, 0.
    """

    seed: int = Field(default=0, ge=0)
    retry_after: int = Field(default=0, ge=0)
    slow_seconds: Seconds = 0
    latency: Seconds = 0
    growth: int = Field(default=0, ge=0)
    quiet_days: frozenset[Annotated[int, Field(ge=0)]] = frozenset()

    def kind(self, rng: np.random.Generator) -> str | None:
        """Draws the fault of a request by the shares; None: no fault."""
        ends = np.cumsum([getattr(self, kind) for kind in KINDS])
        index = int(np.searchsorted(ends, rng.random(), side="right"))
        return KINDS[index] if index < len(KINDS) else None


def load(path: Path) -> Faults:
    """The faults in a TOML file; raises NightshelfError naming the file and the invalid key."""
    return toml.read(Faults, path, f"the faults in {path}")
