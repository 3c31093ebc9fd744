"""What Prometheus is told at /metrics, added up over all workers; no label holds what a person asked.

Each worker writes into a file of its own below PROMETHEUS_MULTIPROC_DIR, which BentoML sets before a worker
imports this module, and whose files BentoML's /metrics adds up.
"""

from collections import Counter as Count
from collections.abc import Iterator
from typing import Any, get_args

from prometheus_client import Counter, Gauge, Histogram

from serving.recommend.reasons import Kind
from serving.recommend.recommender import LANES

MILLISECONDS = (1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 250, 500, 1000, 2500, 10_000)

REQUESTS = Histogram(
    "nightshelf_request_seconds",
    "Seconds that a request took",
    ["route", "method", "status"],
    buckets=[milliseconds / 1000 for milliseconds in MILLISECONDS],
)
ANSWERS = Counter("nightshelf_answers", "Lists answered; known is false for a stranger", ["lane", "known"])
ITEMS = Counter("nightshelf_items", "Items answered, by the kind of their reason", ["kind"])
MODEL = Gauge(
    "nightshelf_model_info",
    "1 for the version of the model that is live",
    ["version"],
    multiprocess_mode="livemostrecent",
)


# Found by their labels once, so that a request needn't; and so that all are told from the start.
OF_LANE = {
    (lane, known): ANSWERS.labels(lane, str(known).lower()) for lane in LANES for known in (True, False)
}
OF_KIND: dict[str, Counter] = {kind: ITEMS.labels(kind) for kind in get_args(Kind)}


def requested(route: str, method: str, status: int, seconds: float) -> None:
    """Counts a request."""
    REQUESTS.labels(route, method, status).observe(seconds)


def answered(answer: Any) -> None:
    """Counts the lists of items in an answer: those of lanes by lane, all items by their reason."""
    for one in _listings(answer):
        if "lane" in one and "known" in one:
            OF_LANE[one["lane"], one["known"]].inc()
        kinds = Count([item["reason"]["kind"] for item in one["items"] if "reason" in item])
        for kind, items in kinds.items():
            OF_KIND[kind].inc(items)


def live(version: str, before: str | None) -> None:
    """Tells which version is live, and that the one before no longer is."""
    if before is not None:
        MODEL.labels(before).set(0)
    MODEL.labels(version).set(1)


def _listings(answer: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(answer, dict):
        return
    if "items" in answer:
        yield answer
    for one in answer.get("customers", []):
        yield {"lane": answer["lane"]} | one
