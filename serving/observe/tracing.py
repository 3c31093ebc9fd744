"""OpenTelemetry traces, if NIGHTSHELF_TRACE_URL is set: one span per request, named by its route."""

from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from serving.observe.masking import Mask, Unmask
from serving.settings import ServingSettings


def bentoml_options(settings: ServingSettings) -> dict[str, Any]:
    """Returns BentoML's option `tracing`: the exporter's address and the share of traced requests."""
    if not settings.trace_url:
        return {}
    return {
        "exporter_type": "otlp",
        "sample_rate": settings.trace_share,
        "otlp": {"protocol": "http", "endpoint": settings.trace_url},
    }


def with_tracing(app: Starlette, settings: ServingSettings) -> ASGIApp:
    """Wraps the application so that its requests are traced; returns it unchanged without a trace URL."""
    if not settings.trace_url:
        return app
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return Mask(OpenTelemetryMiddleware(Unmask(app), tracer_provider=_provider()), app.routes)


def stop(settings: ServingSettings) -> None:
    """Sends the remaining traces; BentoML ends workers by a signal, which skips Python's exit handlers."""
    if settings.trace_url:
        _provider().shutdown()


def _provider() -> Any:
    from bentoml._internal.configuration.containers import BentoMLContainer

    return BentoMLContainer.tracer_provider.get()
