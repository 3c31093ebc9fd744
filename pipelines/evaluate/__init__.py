"""Offline evaluation: how well a bundle predicts the purchases after its cut, in every lane.

- Scores come from `serving.recommend.recommender`, the code that serves; every product of the catalogue is
  ranked, none is sampled.
- Measured are customers with purchases before and after the cut and, separately, buyers who were unknown at
  the cut.
- The truth of a customer is what the customer bought after the cut, as far as it was sold before the cut and
  the lane may recommend it.
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
from pipelines.evaluate.segments import SEGMENTS, UNKNOWN, customer_segments
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
    "MAIN_METRICS",
    "MAP",
    "METRICS",
    "MODEL",
    "MPR",
    "MRR",
    "NDCG",
    "NDCG_HEAD",
    "NDCG_TAIL",
    "NOVELTY",
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
