"""What is being served at this moment."""

from dataclasses import dataclass, field
from typing import Any

from serving.bundle import Bundle
from serving.shop import Shop


@dataclass(frozen=True)
class Served:
    """A bundle that answers, the version of the registered model that it is, the gate's verdict on it."""

    version: str
    bundle: Bundle
    verdict: dict[str, Any] = field(default_factory=dict)
    per_category: int | None = None  # products of one category in an answer; a question may say other
    shop: Shop = field(default_factory=Shop)  # the shop's own rules


@dataclass
class Live:
    """The one reference that a new champion replaces; a request holds on to the one that it began with."""

    served: Served | None = None
    reason: str = "the service has only just started and is looking for a model"
