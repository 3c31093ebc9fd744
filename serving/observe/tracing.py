"""OpenTelemetry, where it is set: a span for each request, named by its route's template."""

from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from serving.observe.masking import Mask, Unmask
from serving.settings import ServingSettings


def configured(settings: ServingSettings) -> dict[str, Any]:
    """What BentoML is told of traces: where they go, and how many."""
    if not settings.trace_url:
        return {}
    return {
        "exporter_type": "otlp",
        "sample_rate": settings.trace_share,
        "otlp": {"protocol": "http", "endpoint": settings.trace_url},
    }


def traced(app: Starlette, settings: ServingSettings) -> ASGIApp:
    """An application whose requests are traced, if that is set; the spans know templates alone."""
    if not settings.trace_url:
        return app
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return Mask(OpenTelemetryMiddleware(Unmask(app), tracer_provider=_provider()), app.routes)


def stop(settings: ServingSettings) -> None:
    """Sends the traces that are left; a worker ends by its signal, with which Python calls nothing more."""
    if settings.trace_url:
        _provider().shutdown()


def _provider() -> Any:
    from bentoml._internal.configuration.containers import BentoMLContainer

    return BentoMLContainer.tracer_provider.get()
