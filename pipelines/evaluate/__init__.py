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
    GROUP,
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
    TOP,
    WEIGHT,
)
from pipelines.evaluate.per_customer import evaluate
from pipelines.evaluate.segments import GROUPS, LOYAL, NEW, OCCASIONAL, UNKNOWN, customer_groups
from pipelines.evaluate.summaries import FEW, by_group, by_lane, flat, flat_name, known_only, summary

__all__ = [
    "CATALOGUE",
    "COVERAGE",
    "CUSTOMERS",
    "DIVERSITY",
    "FEW",
    "GROUP",
    "GROUPS",
    "LANE",
    "LOYAL",
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
    "TOP",
    "UNKNOWN",
    "WEIGHT",
    "by_group",
    "by_lane",
    "customer_groups",
    "evaluate",
    "flat",
    "flat_name",
    "known_only",
    "summary",
]
