"""What the service answered since it started, as its own metrics tell it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pipelines.evaluate import NDCG, flat_name
from pipelines.report.figures import Figure, count, many, percent
from pipelines.report.records import Record
from pipelines.settings import address, settings
from serving.recommend.recommender import LANES

ROUTES = "/recommendations"  # how the routes end that answer with a list for somebody
SECONDS = "nightshelf_request_seconds_bucket"
LISTS = "nightshelf_answers_total"
P99 = 0.99
PATIENCE = 5.0

Answers = dict[str, float]


@dataclass(frozen=True)
class Served:
    """What is known of the service: by name the figure; and the sentence about it."""

    sentence: str
    figures: list[tuple[str, Figure]]


def ask() -> Answers | str:
    """The service's figures as metrics of a run, or why there are none."""
    where = settings().service_url or address(settings(), settings().serving_port)
    key = settings().service_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{where}/metrics", headers=headers, timeout=PATIENCE)
    except httpx.HTTPError as error:
        return f"the service does not answer at {where} ({type(error).__name__})"
    if answer.status_code in (401, 403):
        return "the service asks for another key than NIGHTSHELF_SERVICE_KEY"
    return told(answer.text) if answer.is_success else f"the service answers {answer.status_code} to /metrics"


def told(text: str) -> Answers:
    """What the text of /metrics says: requests, p99 in milliseconds, lists, share of them for strangers."""
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    buckets = _buckets(one for one in samples if one.name == SECONDS)
    lists = {known: _total(samples, known) for known in ("true", "false")}
    found = {"served_requests": buckets[-1][1] if buckets else 0.0, "served_lists": sum(lists.values())}
    if found["served_requests"]:
        found["served_p99_ms"] = 1000 * quantile(buckets, P99)
    if found["served_lists"]:
        found["served_fallback_share"] = lists["false"] / found["served_lists"]
    return found


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """Below which value a share of observations lies, by (upper bound, observations up to it) ascending.

    Within a bucket they are taken to be spread evenly, as Prometheus' histogram_quantile does; what lies
    beyond the last finite bound is told as that bound.
    """
    wanted, low, before = share * buckets[-1][1], 0.0, 0.0
    for high, seen in buckets:
        if seen >= wanted and seen > before:
            return low if math.isinf(high) else low + (high - low) * (wanted - before) / (seen - before)
        low, before = (low if math.isinf(high) else high), seen
    return low


def served(record: Record, asked: Answers | str) -> Served:
    """The service's figures as the night logged them, and what the champion's answers were worth."""
    names = {
        "served_requests": ("requests", ",.0f", 1),
        "served_p99_ms": ("p99, milliseconds", ",.1f", 1),
        "served_lists": ("lists answered", ",.0f", 1),
        "served_fallback_share": ("for strangers, %", ".1f", 100),
        **{f"live_{flat_name(NDCG, lane)}": (f"NDCG@10 since, {lane}", ".4f", 1) for lane in LANES},
    }
    found = [
        (said, Figure(name, value, format(value * factor, form)))
        for name, (said, form, factor) in names.items()
        if (value := record.metrics.get(name)) is not None
    ]
    why = asked if isinstance(asked, str) else ""
    return Served(f"{_sentence(record, why)}{_live(record)}", found)


def _sentence(record: Record, why: str) -> str:
    found = record.metrics
    if why:
        return f"How the service fares is not known: {why}"
    if not found.get("served_requests"):
        return "The service has given no recommendations since it started"
    told = f"Of {many(int(found['served_requests']), 'request')} since the service started 99 % took under"
    if not (lists := found.get("served_lists")):
        return f"{told} {found['served_p99_ms']:.1f} ms"
    strangers = percent(found["served_fallback_share"] * lists, lists)
    return f"{told} {found['served_p99_ms']:.1f} ms, and {strangers} of the lists were for strangers"


def _live(record: Record) -> str:
    customers = count(record.metrics, "live_customers_for_you")
    worth = record.metrics.get("live_ndcg_at_10_for_you")
    if customers is None or worth is None:
        return "."
    told = f"NDCG@10 {worth:.3f} over {customers} customers"
    return f"; on the orders since it was fitted the champion had {told}."


def _buckets(samples: Iterable[Sample]) -> list[tuple[float, float]]:
    added: dict[float, float] = {}
    for one in samples:
        if one.labels["route"].endswith(ROUTES):
            bound = float(one.labels["le"])
            added[bound] = added.get(bound, 0.0) + one.value
    return sorted(added.items())


def _total(samples: list[Sample], known: str) -> float:
    return sum(one.value for one in samples if one.name == LISTS and one.labels["known"] == known)
