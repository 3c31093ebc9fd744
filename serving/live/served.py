"""What the service serves at this moment."""

from dataclasses import dataclass, field, replace
from typing import Any

from serving.bundle.format import Bundle
from serving.errors import Problem
from serving.live.changes import Changes
from serving.live.merchandising import Merchandising


@dataclass(frozen=True)
class Served:
    """A version of the registered model with its bundle, its verdict, and what changes its answers."""

    version: str
    bundle: Bundle
    verdict: dict[str, Any] = field(default_factory=dict)  # the gate's verdict and its reasons
    per_category: int | None = None  # maximum products of one category in an answer, unless the query sets it
    changes: Changes | None = None  # made since the fit; the bundle has them already
    merchandising: Merchandising = field(default_factory=Merchandising)


@dataclass(frozen=True)
class StoreAlone:
    """What the service has before its first model: the store of changes and events."""

    changes: Changes
    version: None = None
    bundle: None = None


@dataclass
class ServingState:
    """Holds what is served; a new champion replaces `served`, and a request in flight keeps the old one."""

    served: Served | None = None
    reason: str = "the service has just started and is looking for a model"
    changes: Changes | None = None

    def current(self) -> Served | None:
        """Returns what is served, with all changes so far; None if no model is live.

        Raises Problem 503 until the store has answered once: only the store knows the forgotten customers.
        """
        served = self.served
        if served is None or self.changes is None:
            return served
        _require_loaded(self.changes)
        return replace(served, bundle=self.changes.apply_to(served.bundle), changes=self.changes)

    def store_alone(self) -> StoreAlone | None:
        """Returns the store, for what needs no model; None if the service was started without one.

        Raises Problem 503 until the store has answered once.
        """
        if self.changes is None:
            return None
        _require_loaded(self.changes)
        return StoreAlone(self.changes)


def _require_loaded(changes: Changes) -> None:
    if not changes.loaded:
        message = "the store of changes and events has not answered yet: check that its database is up"
        raise Problem(503, "no_store", message)
