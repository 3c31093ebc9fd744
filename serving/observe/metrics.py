"""Prometheus metrics at /metrics, summed over all workers; no label holds personal data.

Each worker writes to a file of its own in PROMETHEUS_MULTIPROC_DIR. BentoML sets this variable before a
worker imports this module, and its /metrics adds up the files.
"""

from collections import Counter as Count
from collections.abc import Iterator
from typing import Any, get_args

from prometheus_client import Counter, Gauge, Histogram

from serving.recommend.lanes import LANES
from serving.recommend.reasons import Kind

BUCKET_BOUNDS_MS = (1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 250, 500, 1000, 2500, 10_000)

REQUESTS = Histogram(
    "nightshelf_request_seconds",
    "Seconds that a request took",
    ["route", "method", "status"],
    buckets=[milliseconds / 1000 for milliseconds in BUCKET_BOUNDS_MS],
)
ANSWERS = Counter(
    "nightshelf_answers", "Lists answered; known is false for an unknown customer", ["lane", "known"]
)
ITEMS = Counter("nightshelf_items", "Items answered, by the kind of their reason", ["kind"])
MODEL = Gauge(
    "nightshelf_model_info",
    "1 for the version of the model that is live",
    ["version"],
    multiprocess_mode="livemostrecent",
)

# Looked up once: requests save the look-up, and /metrics shows every label from the start.
ANSWERS_BY_LANE = {
    (lane, known): ANSWERS.labels(lane, str(known).lower()) for lane in LANES for known in (True, False)
}
Tally = list[tuple[Counter, int]]
ITEMS_BY_KIND: dict[str, Counter] = {kind: ITEMS.labels(kind) for kind in get_args(Kind)}


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Counts one request."""
    REQUESTS.labels(route, method, status).observe(seconds)


def count_answer(answer: Any) -> None:
    """Counts the lists of an answer by lane, and all their items by kind of reason."""
    count(tally(answer))


def tally(answer: Any) -> Tally:
    """Returns what an answer adds to the metrics: lists by lane, and all their items by kind of reason."""
    added: Tally = []
    for listing in _listings(answer):
        if "lane" in listing and "known" in listing:
            added.append((ANSWERS_BY_LANE[listing["lane"], listing["known"]], 1))
        kinds = Count([item["reason"]["kind"] for item in listing["items"] if "reason" in item])
        added += [(ITEMS_BY_KIND[kind], items) for kind, items in kinds.items()]
    return added


def count(added: Tally) -> None:
    """Adds the tally of an answer to the metrics."""
    for counter, number in added:
        counter.inc(number)


def set_live_version(version: str, before: str | None) -> None:
    """Marks a model version as live and the previous one as not live."""
    if before is not None:
        MODEL.labels(before).set(0)
    MODEL.labels(version).set(1)


def _listings(answer: Any) -> Iterator[dict[str, Any]]:
    """Yields the lists of items in an answer, one per customer for a batch."""
    if not isinstance(answer, dict):
        return
    if "items" in answer:
        yield answer
    for listing in answer.get("customers", []):
        yield {"lane": answer["lane"]} | listing
