"""What is being served at this moment."""

from dataclasses import dataclass, field, replace
from typing import Any

from serving.bundle.format import Bundle
from serving.errors import Problem
from serving.live.changes import Changes
from serving.live.merchandising import Shop


@dataclass(frozen=True)
class Served:
    """A bundle that answers, the version of the registered model that it is, the gate's verdict on it."""

    version: str
    bundle: Bundle
    verdict: dict[str, Any] = field(default_factory=dict)
    per_category: int | None = None  # products of one category in an answer; a question may say other
    changes: Changes | None = None  # what came since; laid over the bundle already
    shop: Shop = field(default_factory=Shop)  # the shop's own rules


@dataclass
class Live:
    """The one reference that a new champion replaces; a request holds on to the one that it began with."""

    served: Served | None = None
    reason: str = "the service has only just started and is looking for a model"
    changes: Changes | None = None

    def now(self) -> Served | None:
        """What is served, with all changes up to now; None where no model is live.

        Raises Problem 503 as long as the store has never answered: it alone knows who is forgotten.
        """
        served = self.served
        if served is None or self.changes is None:
            return served
        if not self.changes.known:
            raise Problem(503, "no_store", "the store of changes has not answered yet: is it up?")
        return replace(served, bundle=self.changes.over(served.bundle), changes=self.changes)
