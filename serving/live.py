"""What is being served at this moment."""

from dataclasses import dataclass

from serving.bundle import Bundle


@dataclass(frozen=True)
class Served:
    """A bundle that answers, and the version of the registered model that it is."""

    version: str
    bundle: Bundle


@dataclass
class Live:
    """The one reference that a new champion replaces; a request holds on to the one that it began with."""

    served: Served | None = None
    reason: str = "the service has only just started and is looking for a model"
