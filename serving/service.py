"""The BentoML service: routes, BentoML's native API, health checks and metrics, in each worker."""

import logging
from typing import Any

import bentoml
from bentoml import Service
from bentoml.exceptions import BentoMLException

from serving.access import keys
from serving.access.arbiter import close_arbiter
from serving.access.guard import Guard, is_loopback
from serving.access.origins import Origins
from serving.access.rate import RateLimiter
from serving.edge import Edge, with_cors
from serving.errors import NightshelfError
from serving.http import connections, native, night_reports, requests
from serving.http.routes import BATCH_PATH, create_app
from serving.http.webhooks import Webhooks
from serving.live.changes import Changes
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.observe import tracing
from serving.settings import ServingSettings, keep_private, read

try:
    settings = read(ServingSettings)
    changes = Changes(settings)
    origins = Origins(settings.hosts, settings.cors_origins)
    guard = Guard(settings.keys_path, settings.rate_limit, bool(settings.keys_file), origins)
    webhooks = Webhooks(settings, guard.limiter)
except NightshelfError as error:
    raise BentoMLException(str(error)) from None  # BentoML prints it as one line, without a traceback

state = ServingState(changes=changes)
report_routes = night_reports.routes(settings.nights)
event_limiter = RateLimiter(settings.event_rate) if settings.event_rate else None
customer_key = settings.customer_key.get_secret_value()
app = create_app(state, customer_key, guard.keyring, report_routes, webhooks, event_limiter)

logging.getLogger("serving").setLevel(logging.INFO)


class EdgedService(Service[Any]):  # type: ignore[misc] # BentoML's SDK ships no types
    """A BentoML service behind the edge."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """Returns the ASGI application of one worker; limits the worker's connections."""
        connections.install()
        bento = super().to_asgi(is_main)
        edge = Edge(tracing.with_tracing(app, settings), bento, app.routes, guard, settings)
        return with_cors(edge, settings.cors_origins)


@bentoml.service(
    name="nightshelf",
    service_class=EdgedService,
    workers=settings.workers,
    http={"host": settings.host, "port": settings.serving_port},
    logging={"access": {"enabled": False}},
    tracing=tracing.bentoml_options(settings),
    traffic={"timeout": 10},
)
class Nightshelf:
    """Recommendations from the registry's champion; a new champion goes live without a restart."""

    def __init__(self) -> None:
        self.follower = Follower(settings, state)
        self.follower.start()
        changes.start()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Refuses to start without the key of the pseudonyms, or open to other machines without API keys."""
        close_arbiter()
        keep_private()
        try:
            settings.require_customer_key()
            if settings.key_weakness:
                logging.getLogger("serving").warning(settings.key_weakness)
            _require_keys()
        except NightshelfError as error:
            raise BentoMLException(str(error)) from None

    @bentoml.api(route=BATCH_PATH, input_spec=native.input_spec(requests.BatchQuery))  # type: ignore[untyped-decorator]
    async def recommend(self, **query: Any) -> dict[str, Any]:
        """Returns items for many customers, as POST /v1/recommendations does; for BentoML's own clients."""
        return await native.answer(state, query, settings.customer_key.get_secret_value())

    async def __is_ready__(self) -> bool:
        """Returns whether a model is live and the forgotten customers are loaded."""
        return state.served is not None and changes.loaded

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Stops the background threads and sends the remaining traces."""
        self.follower.stop()
        changes.stop()
        tracing.stop(settings)


def _require_keys() -> None:
    if not keys.load_or_empty(settings.keys_path) and not is_loopback(settings.host):
        raise NightshelfError(
            f"NIGHTSHELF_HOST={settings.host} is open to other machines and there is no API key: create "
            "one with `nightshelf keys add NAME --scope read`, or set NIGHTSHELF_HOST=127.0.0.1"
        )
