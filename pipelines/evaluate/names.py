"""The columns of a table of judged customers, and the names of what is measured."""

import pyarrow as pa

from pipelines import columns as c

MODEL = "model"
LANE = "lane"
SEGMENT = "group"
TOP = "top"  # the first ten products, by their row in the bundle
CATALOGUE = "catalogue"  # how many products the shop has, the same in every row

NDCG, RECALL, PRECISION, MAP, MRR, MPR = (
    "ndcg_at_10",
    "recall_at_10",
    "precision_at_10",
    "map_at_10",
    "mrr",
    "mean_percentile_rank",
)
METRICS = (NDCG, RECALL, PRECISION, MAP, MRR, MPR)
NDCG_HEAD, NDCG_TAIL = "ndcg_at_10_head", "ndcg_at_10_tail"
RECALL_HEAD, RECALL_TAIL = "recall_at_10_head", "recall_at_10_tail"
NOVELTY, DIVERSITY, RMSE = "novelty", "diversity", "rmse"
WEIGHT = "weight_at_10"  # null where the shop gives its products no weights
PER_CUSTOMER = (*METRICS, NDCG_HEAD, NDCG_TAIL, RECALL_HEAD, RECALL_TAIL, NOVELTY, DIVERSITY, WEIGHT, RMSE)

# of a model and a lane, not of a customer
COVERAGE = "coverage"
CUSTOMERS = "customers"

SCHEMA = pa.schema(
    [
        (MODEL, pa.string()),
        (LANE, pa.string()),
        (c.CUSTOMER, pa.string()),
        (SEGMENT, pa.string()),
        *((name, pa.float64()) for name in PER_CUSTOMER),
        (TOP, pa.list_(pa.int32())),
        (CATALOGUE, pa.int32()),
    ]
)
