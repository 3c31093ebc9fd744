"""The BentoML service: the routes, the health checks and the metrics, in one process per worker."""

import logging
from typing import Any

import bentoml
from bentoml import Service
from bentoml.exceptions import BentoMLException

from serving.api import create_app
from serving.changes import Changes
from serving.errors import NightshelfError
from serving.follow import Follower
from serving.live import Live
from serving.masking import Mask, Unmask
from serving.settings import ServingSettings, read

try:
    settings = read(ServingSettings)
    changes = Changes(settings)
except NightshelfError as wrong:
    raise BentoMLException(str(wrong)) from None  # which BentoML shows as one line

live = Live(changes=changes)
app = create_app(live, settings.customer_key.get_secret_value())

logging.getLogger("serving").setLevel(logging.INFO)


class MaskedService(Service[Any]):  # type: ignore[misc] # BentoML's SDK ships no types
    """A service whose application shows BentoML templates instead of paths."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """The ASGI application of one worker."""
        return Mask(super().to_asgi(is_main), app.routes)


@bentoml.service(
    name="nightshelf",
    service_class=MaskedService,
    http={"host": settings.host, "port": settings.serving_port},
    traffic={"timeout": 10},
)
@bentoml.asgi_app(Unmask(app), path="/")
class Nightshelf:
    """Recommendations from the champion of the registry, which it follows without a restart."""

    def __init__(self) -> None:
        self.follower = Follower(settings, live)
        self.follower.start()
        changes.start()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Stops a start that could not tell customers apart, before a worker is started."""
        try:
            settings.require_customer_key()
        except NightshelfError as missing:
            raise BentoMLException(str(missing)) from None

    async def __is_ready__(self) -> bool:
        """Whether there is a model to answer from, and who is forgotten is known."""
        return live.served is not None and changes.known

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Ends the looking for champions and for changes."""
        self.follower.stop()
        changes.stop()
