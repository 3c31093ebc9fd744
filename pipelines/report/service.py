"""The section on the service: its requests and lists since it started, from its Prometheus metrics."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pipelines.evaluate import NDCG, flat_name
from pipelines.report.figures import Figure, count, percent, quantity
from pipelines.report.records import Record
from pipelines.settings import address, settings
from serving.recommend.lanes import LANES

ROUTES = "/recommendations"  # the end of every route that returns a personal list
SECONDS = "nightshelf_request_seconds_bucket"
LISTS = "nightshelf_answers_total"
P99 = 0.99
TIMEOUT = 5.0  # seconds

ServiceMetrics = dict[str, float]
Bucket = tuple[float, float]  # upper bound, observations up to it


@dataclass(frozen=True)
class Service:
    """The section on the service: figures by their caption, and a sentence about them."""

    sentence: str
    figures: list[tuple[str, Figure]]


def fetch() -> ServiceMetrics | str:
    """The service's figures under the names that the nightly run logs, or why they could not be fetched."""
    base = settings().service_url or address(settings(), settings().serving_port)
    key = settings().service_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx.get(f"{base}/metrics", headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        return f"no response from {base} ({type(error).__name__}); check NIGHTSHELF_SERVICE_URL"
    if response.status_code in (401, 403):
        return f"{base}/metrics rejects the API key; check NIGHTSHELF_SERVICE_KEY"
    return parse(response.text) if response.is_success else f"{base}/metrics returns {response.status_code}"


def parse(text: str) -> ServiceMetrics:
    """The figures in the text of /metrics, by the name of their MLflow metric.

    served_requests, served_p99_ms, served_lists, and served_fallback_share: the share of lists for unknown
    customers and anonymous visitors. A figure is absent if the requests or lists it is computed from are 0.
    """
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    buckets = _buckets(sample for sample in samples if sample.name == SECONDS)
    lists = {known: _total(samples, known) for known in ("true", "false")}
    figures = {"served_requests": buckets[-1][1] if buckets else 0.0, "served_lists": sum(lists.values())}
    if figures["served_requests"]:
        figures["served_p99_ms"] = 1000 * quantile(buckets, P99)
    if figures["served_lists"]:
        figures["served_fallback_share"] = lists["false"] / figures["served_lists"]
    return figures


def quantile(buckets: list[Bucket], share: float) -> float:
    """The value below which a share of the observations lies; buckets: in ascending order.

    As in Prometheus' histogram_quantile, observations are spread evenly within a bucket, and those beyond
    the last finite bound are taken to lie at it.
    """
    rank, low, before = share * buckets[-1][1], 0.0, 0.0
    for high, total in buckets:
        if total >= rank and total > before:
            return low if math.isinf(high) else low + (high - low) * (rank - before) / (total - before)
        low, before = (low if math.isinf(high) else high), total
    return low


def service(record: Record, fetched: ServiceMetrics | str) -> Service:
    """The section on the service, from the run's metrics; fetched: the result of `fetch`."""
    names = {
        "served_requests": ("requests", ",.0f", 1),
        "served_p99_ms": ("p99, milliseconds", ",.1f", 1),
        "served_lists": ("lists returned", ",.0f", 1),
        "served_fallback_share": ("for unknown or anonymous, %", ".1f", 100),
        **{f"live_{flat_name(NDCG, lane)}": (f"NDCG@10 since the fit, {lane}", ".4f", 1) for lane in LANES},
    }
    figures = [
        (caption, Figure(name, value, format(value * factor, form)))
        for name, (caption, form, factor) in names.items()
        if (value := record.metrics.get(name)) is not None
    ]
    problem = fetched if isinstance(fetched, str) else ""
    return Service(f"{_traffic(record, problem)}{_quality(record)}", figures)


def _traffic(record: Record, problem: str) -> str:
    metrics = record.metrics
    if problem:
        return f"The service's metrics could not be read: {problem}"
    if not metrics.get("served_requests"):
        return "The service has returned no recommendations since it started"
    requests = quantity(int(metrics["served_requests"]), "request")
    latency = f"Of {requests} since the service started, 99 % took under {metrics['served_p99_ms']:.1f} ms"
    if not (lists := metrics.get("served_lists")):
        return latency
    fallback = percent(metrics["served_fallback_share"] * lists, lists)
    return f"{latency}, and {fallback} of the lists went to unknown customers or anonymous visitors"


def _quality(record: Record) -> str:
    customers = count(record.metrics, "live_customers_for_you")
    ndcg = record.metrics.get("live_ndcg_at_10_for_you")
    if customers is None or ndcg is None:
        return "."
    return f"; on the orders since its fit, the champion has NDCG@10 {ndcg:.3f} over {customers} customers."


def _buckets(samples: Iterable[Sample]) -> list[Bucket]:
    sums: dict[float, float] = {}
    for sample in samples:
        if sample.labels["route"].endswith(ROUTES):
            bound = float(sample.labels["le"])
            sums[bound] = sums.get(bound, 0.0) + sample.value
    return sorted(sums.items())


def _total(samples: list[Sample], known: str) -> float:
    return sum(sample.value for sample in samples if sample.name == LISTS and sample.labels["known"] == known)
