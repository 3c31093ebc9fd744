"""The BentoML service: the routes, the native API, the health checks and the metrics, in each worker."""

import logging
from typing import Any

import bentoml
from bentoml import Service
from bentoml.exceptions import BentoMLException

from serving.access import keys
from serving.access.guard import Guard, is_this_machine
from serving.edge import Edge, shared
from serving.errors import NightshelfError
from serving.http import native, night_reports, requests
from serving.http.routes import MANY, create_app
from serving.live.changes import Changes
from serving.live.follow import Follower
from serving.live.served import Live
from serving.observe import tracing
from serving.settings import ServingSettings, read

try:
    settings = read(ServingSettings)
    changes = Changes(settings)
except NightshelfError as wrong:
    raise BentoMLException(str(wrong)) from None  # which BentoML shows as one line

live = Live(changes=changes)
guard = Guard(settings.keys_path, settings.rate_limit)
more = night_reports.routes(settings.nights)
app = create_app(live, settings.customer_key.get_secret_value(), guard.ring, more)

logging.getLogger("serving").setLevel(logging.INFO)


class EdgedService(Service[Any]):  # type: ignore[misc] # BentoML's SDK ships no types
    """A service whose applications stand behind the edge."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """The ASGI application of one worker."""
        bento = super().to_asgi(is_main)
        edge = Edge(tracing.traced(app, settings), bento, app.routes, guard, settings)
        return shared(edge, settings.cors_origins)


@bentoml.service(
    name="nightshelf",
    service_class=EdgedService,
    workers=settings.workers,
    http={"host": settings.host, "port": settings.serving_port},
    logging={"access": {"enabled": False}},
    tracing=tracing.configured(settings),
    traffic={"timeout": 10},
)
class Nightshelf:
    """Recommendations from the champion of the registry, which it follows without a restart."""

    def __init__(self) -> None:
        self.follower = Follower(settings, live)
        self.follower.start()
        changes.start()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Stops a start that could not tell customers apart, or would answer just anybody."""
        try:
            settings.require_customer_key()
            _require_keys()
        except NightshelfError as missing:
            raise BentoMLException(str(missing)) from None

    @bentoml.api(route=MANY, input_spec=native.spec(requests.BatchQuery))  # type: ignore[untyped-decorator]
    async def recommend(self, **asked: Any) -> dict[str, Any]:
        """Items for many customers at once: what POST /v1/recommendations answers, to which clients go."""
        return await native.answer(live, asked, settings.customer_key.get_secret_value())

    async def __is_ready__(self) -> bool:
        """Whether there is a model to answer from, and who is forgotten is known."""
        return live.served is not None and changes.known

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Ends the looking for champions and for changes, and the traces."""
        self.follower.stop()
        changes.stop()
        tracing.stop(settings)


def _require_keys() -> None:
    if not keys.known(settings.keys_path) and not is_this_machine(settings.host):
        raise NightshelfError(
            f"NIGHTSHELF_HOST={settings.host} is open to other machines and there is no key: make one with "
            "`nightshelf keys add NAME --scope read`, or listen on 127.0.0.1"
        )
