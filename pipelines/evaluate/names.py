"""The columns of a table of measures (a row per model, lane and customer), and the names of the metrics."""

import pyarrow as pa

from pipelines import columns as c

MODEL = "model"
LANE = "lane"
SEGMENT = "group"  # customer segment: new, occasional, loyal or unknown
TOP = "top"  # the first ten products, as rows of the bundle
NO_PRODUCT = -1  # fills a list of products behind its last one
CATALOGUE = "catalogue"  # number of products, the same in every row

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
WEIGHT = "weight_at_10"  # null if the shop gives no weights
PER_CUSTOMER = (*METRICS, NDCG_HEAD, NDCG_TAIL, RECALL_HEAD, RECALL_TAIL, NOVELTY, DIVERSITY, WEIGHT, RMSE)

# measured per model and lane, not per customer
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
