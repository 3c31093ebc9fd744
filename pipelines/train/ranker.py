"""The ranker: orders candidate products; learned from which of them customers bought in earlier windows."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field

from pipelines.evaluate.windows import SHARE_OF_HISTORY
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct, locate
from pipelines.run.threads import spread
from pipelines.train import fits, neighbours
from pipelines.train.boosting import xgboost
from pipelines.train.repurchase import History
from pipelines.train.traits import traits
from serving.bundle import trees
from serving.bundle.format import Array, Bundle
from serving.bundle.traits import FEATURE_NAMES
from serving.recommend.features import candidates
from serving.toml import FrozenModel

SEED = 28
BATCH = 256  # customers whose candidates are in memory at once
# LambdaMART (Burges 2010) compares the candidates of a customer; logistic regression asks of each candidate
# alone whether it is bought, in half of the time. Which is better depends on the shop.
OBJECTIVES: dict[str, dict[str, Any]] = {
    "rank:ndcg": {
        "ndcg_exp_gain": False,
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": 20,
    },
    "binary:logistic": {},
}
FIXED = {
    "tree_method": "hist",
    "min_child_weight": 5.0,
    "reg_lambda": 5.0,
    "subsample": 0.7,
    "colsample_bynode": 0.5,
    "seed": SEED,
}


class RankerSettings(FrozenModel):
    """Hyper-parameters that the sweep varies, and limits on time and memory."""

    windows: int = Field(3, ge=1)  # consecutive training windows
    window_days: int = Field(28, ge=1)  # at most; a short history gets shorter windows
    trees: int = Field(200, ge=1)
    objective: Literal["rank:ndcg", "binary:logistic"] = "rank:ndcg"  # XGBoost's names
    depth: int = Field(6, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    unbought: float = Field(0.1, gt=0, le=1)  # share of the unbought candidates that are kept as examples
    customers: int = Field(4000, ge=1)  # per window at most, a random sample

    def sampling(self) -> dict[str, float]:
        """Returns the settings on which the examples of a window depend."""
        return {"unbought": self.unbought, "customers": self.customers}


@dataclass(frozen=True)
class Examples:
    """m candidates of one window: their features, and whether the customer bought them."""

    features: Array  # (m, F) float32
    bought: Array  # (m,) bool
    customer: Array  # (m,) int64, sorted


def inputs(known: Interactions, history: History) -> dict[str, Array]:
    """Returns the arrays that features are computed from, by their names in the bundle."""
    return fits.kept(known.digest, "inputs of the ranker", {}, lambda: _inputs(known, history))


def _inputs(known: Interactions, history: History) -> dict[str, Array]:
    by_buyers, by_baskets = neighbours.by_buyers(known), neighbours.by_baskets(known)
    computed = traits(known, history)
    return {
        "history_traits": computed.purchases,
        "customer_traits": computed.customers,
        "product_traits": computed.products,
        "neighbours": by_buyers.products,
        "neighbour_cosine": by_buyers.cosine,
        "basket_neighbours": by_baskets.products,
        "basket_cosine": by_baskets.cosine,
        "leading": computed.leading(),
    }


def no_inputs(customers: int, products: int, history: History) -> dict[str, Array]:
    """Returns the arrays of `inputs` for a bundle without a ranker: the same rows, no columns."""
    rows = {"history_traits": len(history.product), "customer_traits": customers}
    rows |= dict.fromkeys(("product_traits", "neighbour_cosine", "basket_cosine"), products)
    indices = dict.fromkeys(("neighbours", "basket_neighbours"), np.empty((products, 0), np.int32))
    floats = {name: np.empty((count, 0), np.float32) for name, count in rows.items()}
    return floats | indices | {"leading": np.empty(0, np.int32)}


def cuts(known: Interactions, settings: RankerSettings) -> list[tuple[int, int]]:
    """Returns the training windows as (last day before, last day), the latest first.

    A window is left out if the history before it is shorter than the window.
    """
    last, first = known.last or int(known.day.max()), int(known.day.min())
    days = min(settings.window_days, (last - first + 1) // SHARE_OF_HISTORY)
    ends = [last - number * days for number in range(settings.windows)] if days else []
    return [(end - days, end) for end in ends if end - 2 * days >= first]


def examples(bundle: Bundle, truth: Interactions, settings: RankerSettings) -> Examples:
    """Returns examples from the window after a bundle's cut: bought candidates and a share of the others.

    truth: the purchases of the window, over the same products. Customers and candidates are sampled with a
    fixed seed.
    """
    rng, width = np.random.default_rng(SEED), len(bundle.products)
    bought = _pairs_of(bundle, truth)
    customers = distinct(bought // width)
    sampled = np.sort(rng.permutation(customers)[: settings.customers])
    batches, parts = np.split(sampled, range(BATCH, len(sampled), BATCH)), []
    for batch, pairs in zip(batches, spread(partial(candidates, bundle), batches), strict=True):
        _, is_bought = locate(bought, batch[pairs.rows] * width + pairs.products)
        kept = is_bought | (rng.random(len(is_bought)) < settings.unbought)
        parts.append(Examples(pairs.features[kept], is_bought[kept], batch[pairs.rows[kept]]))
    return concatenate(parts)


def concatenate(parts: list[Examples]) -> Examples:
    """Returns the examples in one object, in the order of the parts."""
    return Examples(
        np.concatenate([np.empty((0, len(FEATURE_NAMES)), np.float32), *(part.features for part in parts)]),
        np.concatenate([np.empty(0, bool), *(part.bought for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.customer for part in parts)]),
    )


def fit(windows: list[Examples], settings: RankerSettings) -> Array:
    """Returns the trained model as bytes, (n,) uint8; empty if nothing was bought in any window.

    A query is a customer in a window.
    """
    windows = [window for window in windows if window.bought.any()]
    if not windows:
        return trees.no_model()
    joined = concatenate(windows)
    window_of = np.repeat(np.arange(len(windows)), [len(window.bought) for window in windows])
    query = np.cumsum(np.r_[False, (np.diff(joined.customer) != 0) | (np.diff(window_of) != 0)])
    data = xgboost.QuantileDMatrix(joined.features, joined.bought, qid=query)
    varied = {"objective": settings.objective, "max_depth": settings.depth, "eta": settings.learning_rate}
    model = xgboost.train(FIXED | OBJECTIVES[settings.objective] | varied, data, settings.trees)
    return np.frombuffer(bytes(model.save_raw("json")), np.uint8)


def _pairs_of(bundle: Bundle, truth: Interactions) -> Array:
    """Returns the distinct purchases of known customers as customer * P + product, (m,) int64 sorted."""
    row, is_known = locate(bundle.customers, truth.customers)
    known = is_known[truth.customer]
    return distinct(row[truth.customer[known]] * len(bundle.products) + truth.product[known])
