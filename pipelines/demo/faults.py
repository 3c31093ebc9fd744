"""Which faults the demo shop commits on purpose, for its clients to get over, and how often."""

import math
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from serving import toml
from serving.toml import FrozenModel


def _fits(share: float, info: ValidationInfo) -> float:
    # Shares come first among the fields, so that nothing else has been read yet.
    if math.fsum([*info.data.values(), share]) > 1:
        raise ValueError("with this one the shares come to more than all requests")
    return share


Share = Annotated[float, Field(ge=0, le=1), AfterValidator(_fits)]
Seconds = Annotated[float, Field(ge=0)]


class Shares(FrozenModel, allow_inf_nan=False):
    """The share of requests, 0 to 1, that each kind of fault befalls; one request has one at most."""

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
    """What goes wrong in answers to requests for orders and goods, as a TOML file says; nothing unless told.

    Shares of requests, together 1 at most: server_error (500), too_many (429, Retry-After: retry_after
    seconds), slow (answered after slow_seconds), reset (the connection breaks in mid-body), truncated (JSON
    cut in the middle), malformed (no JSON at all), duplicated (another page's content), shifted (a page's
    window is moved by up to 3 entries), wrong_type (one field has another type). The same seed draws the
    same faults for the same sequence of requests.

    growth: how many of today's orders come to be listed with each request for orders that is let through.
    latency: seconds added to every answer. quiet_days: days without orders, 0 is the shop's first.
    """

    seed: int = Field(default=0, ge=0)
    retry_after: int = Field(default=0, ge=0)
    slow_seconds: Seconds = 0
    latency: Seconds = 0
    growth: int = Field(default=0, ge=0)
    quiet_days: frozenset[Annotated[int, Field(ge=0)]] = frozenset()

    def kind(self, rng: np.random.Generator) -> str | None:
        """The fault of one request, drawn by the shares."""
        ends = np.cumsum([getattr(self, kind) for kind in KINDS])
        place = int(np.searchsorted(ends, rng.random(), side="right"))
        return KINDS[place] if place < len(KINDS) else None


def load(path: Path) -> Faults:
    """The faults of a TOML file; raises NightshelfError naming the file and what is wrong in it."""
    return toml.read(Faults, path, f"the faults in {path}")
