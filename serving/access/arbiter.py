"""The arbiter of `bentoml serve`, which starts and restarts the workers, without an open control socket."""

import uuid
from importlib import import_module
from typing import Any


def close_arbiter() -> None:
    """Makes the arbiter that BentoML creates from now on accept commands from its own process alone.

    By default it listens on two TCP ports of the loopback interface without a password: any user of the
    machine can have it run a command as this one, and another program may take such a port at the start.
    `bentoml serve --reload` can't reload with a closed arbiter.
    """
    module: Any = import_module("bentoml._internal.utils.circus")  # the workers need none
    create = module.Arbiter

    def closed(*arguments: Any, **options: Any) -> Any:
        name = uuid.uuid4().hex
        within = {"endpoint": f"inproc://control-{name}", "pubsub_endpoint": f"inproc://events-{name}"}
        return create(*arguments, **options | within)

    module.Arbiter = closed
