"""The second stage, learned: in what order customers bought of their candidates in earlier windows."""

from dataclasses import dataclass, replace

import numpy as np
import xgboost as xgb
from pydantic import Field

from pipelines.evaluate.windows import SHARE_OF_HISTORY
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct, locate
from pipelines.train import neighbours
from pipelines.train.repurchase import History
from pipelines.train.traits import traits
from serving.bundle import trees
from serving.bundle.format import Array, Bundle
from serving.bundle.traits import FEATURE_NAMES
from serving.recommend.features import Neighbourhood, candidates, features
from serving.toml import FrozenModel

SEED = 28
CELLS = 2**20  # of customers times products that are looked at at once
FIXED = {
    "objective": "rank:ndcg",
    "ndcg_exp_gain": False,
    "lambdarank_pair_method": "topk",
    "lambdarank_num_pair_per_sample": 20,
    "tree_method": "hist",
    "min_child_weight": 5.0,
    "reg_lambda": 5.0,
    "subsample": 0.7,
    "colsample_bynode": 0.5,
    "seed": SEED,
}


class RankerSettings(FrozenModel):
    """What the sweep varies, and what bounds time and memory."""

    windows: int = Field(3, ge=1)  # that it learns from, each before the next
    window_days: int = Field(28, ge=1)  # at most; a short history has shorter windows
    trees: int = Field(200, ge=1)
    depth: int = Field(6, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    unbought: float = Field(0.1, gt=0, le=1)  # share of the candidates not bought that it learns from
    customers: int = Field(4000, ge=1)  # drawn of a window at most


@dataclass(frozen=True)
class Examples:
    """m candidates of the customers of a window: what was known of them, and whether they were bought."""

    features: Array  # (m, F) float32
    bought: Array  # (m,) bool
    customer: Array  # (m,) ascending


def inputs(known: Interactions, history: History) -> dict[str, Array]:
    """What the ranker looks at, by the names of the bundle."""
    by_buyers, by_baskets = neighbours.by_buyers(known), neighbours.by_baskets(known)
    found = traits(known, history)
    return {
        "history_traits": found.purchases,
        "customer_traits": found.customers,
        "product_traits": found.products,
        "neighbours": by_buyers.products,
        "neighbour_cosine": by_buyers.cosine,
        "basket_neighbours": by_baskets.products,
        "basket_cosine": by_baskets.cosine,
        "leading": found.leading(),
    }


def no_inputs(customers: int, products: int, history: History) -> dict[str, Array]:
    """The same where there is no ranker: rows without a column."""
    rows = {"history_traits": len(history.product), "customer_traits": customers}
    rows |= dict.fromkeys(("product_traits", "neighbour_cosine", "basket_cosine"), products)
    places = dict.fromkeys(("neighbours", "basket_neighbours"), np.empty((products, 0), np.int32))
    floats = {name: np.empty((count, 0), np.float32) for name, count in rows.items()}
    return floats | places | {"leading": np.empty(0, np.int32)}


def cuts(known: Interactions, settings: RankerSettings) -> list[tuple[int, int]]:
    """The days after which windows to learn from begin and at which they end, the latest first.

    None begins before there is as long a history to look back on.
    """
    last, first = int(known.day.max()), int(known.day.min())
    days = min(settings.window_days, (last - first + 1) // SHARE_OF_HISTORY)
    ends = [last - number * days for number in range(settings.windows)] if days else []
    return [(end - days, end) for end in ends if end - 2 * days >= first]


def known_at(known: Interactions, day: int) -> Interactions:
    """What was known at the end of an earlier day; what was returned since then stays returned."""
    return replace(known, returned=np.zeros_like(known.returned)).until(day)


def examples(bundle: Bundle, truth: Interactions, settings: RankerSettings) -> Examples:
    """What customers were to be answered after a bundle's cut: all that was bought, a share of the rest.

    truth: the purchases of the window, over the same products. Customers and candidates are drawn with
    a seed.
    """
    rng, width = np.random.default_rng(SEED), len(bundle.products)
    bought = _pairs_of(bundle, truth)
    customers = distinct(bought // width)
    drawn = np.sort(rng.permutation(customers)[: settings.customers])
    size = max(1, CELLS // width)
    parts = []
    for start in range(0, len(drawn), size):
        people = drawn[start : start + size]
        around = Neighbourhood(bundle, people)
        rows, products = candidates(around)
        _, is_bought = locate(bought, people[rows] * width + products)
        kept = is_bought | (rng.random(len(rows)) < settings.unbought)
        rows, products = rows[kept], products[kept]
        parts.append(Examples(features(around, rows, products), is_bought[kept], people[rows]))
    return concatenate(parts)


def concatenate(parts: list[Examples]) -> Examples:
    """Examples one after the other; customers keep apart by their neighbours alone."""
    return Examples(
        np.concatenate([np.empty((0, len(FEATURE_NAMES)), np.float32), *(part.features for part in parts)]),
        np.concatenate([np.empty(0, bool), *(part.bought for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.customer for part in parts)]),
    )


def fit(windows: list[Examples], settings: RankerSettings) -> Array:
    """The bytes of the model learned from windows, (n,) uint8; empty where nothing was bought in them.

    LambdaMART: Burges (2010).
    """
    learned = [window for window in windows if window.bought.any()]
    if not learned:
        return trees.no_model()
    all_of_them = concatenate(learned)
    asked = np.repeat(np.arange(len(learned)), [len(window.bought) for window in learned])
    query = np.cumsum(np.r_[False, (np.diff(all_of_them.customer) != 0) | (np.diff(asked) != 0)])
    data = xgb.QuantileDMatrix(all_of_them.features, all_of_them.bought, qid=query)
    varied = {"max_depth": settings.depth, "eta": settings.learning_rate}
    return trees.to_bytes(xgb.train(FIXED | varied, data, settings.trees))


def _pairs_of(bundle: Bundle, truth: Interactions) -> Array:
    """What known customers bought, as customer times P plus product, sorted."""
    at, is_known = locate(bundle.customers, truth.customers)
    known = is_known[truth.customer]
    return distinct(at[truth.customer[known]] * len(bundle.products) + truth.product[known])
