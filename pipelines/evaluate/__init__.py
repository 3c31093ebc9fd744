"""How good a bundle's answers are on what happened after its cut: whole catalogue, every lane.

Scores come from `serving.recommender.scores`, the code that serves. Judged are customers with a
purchase on both sides of the cut, and apart from them the buyers of the window who were unknown at
the cut; true are the products that they bought in the window, that were sold before the cut and
that the lane may answer.
"""

from pipelines.evaluate.names import (
    CATALOGUE,
    COVERAGE,
    CUSTOMERS,
    DIVERSITY,
    LANE,
    MAP,
    METRICS,
    MODEL,
    MPR,
    MRR,
    NDCG,
    NDCG_HEAD,
    NDCG_TAIL,
    NOVELTY,
    PRECISION,
    RECALL,
    RECALL_HEAD,
    RECALL_TAIL,
    RMSE,
    SEGMENT,
    TOP,
    WEIGHT,
)
from pipelines.evaluate.per_customer import evaluate
from pipelines.evaluate.segments import LOYAL, NEW, OCCASIONAL, SEGMENTS, UNKNOWN, customer_segments
from pipelines.evaluate.summaries import (
    MAIN_METRICS,
    by_lane,
    by_segment,
    flat_name,
    flatten,
    known_only,
    summary,
)

__all__ = [
    "CATALOGUE",
    "COVERAGE",
    "CUSTOMERS",
    "DIVERSITY",
    "LANE",
    "LOYAL",
    "MAIN_METRICS",
    "MAP",
    "METRICS",
    "MODEL",
    "MPR",
    "MRR",
    "NDCG",
    "NDCG_HEAD",
    "NDCG_TAIL",
    "NEW",
    "NOVELTY",
    "OCCASIONAL",
    "PRECISION",
    "RECALL",
    "RECALL_HEAD",
    "RECALL_TAIL",
    "RMSE",
    "SEGMENT",
    "SEGMENTS",
    "TOP",
    "UNKNOWN",
    "WEIGHT",
    "by_lane",
    "by_segment",
    "customer_segments",
    "evaluate",
    "flat_name",
    "flatten",
    "known_only",
    "summary",
]
