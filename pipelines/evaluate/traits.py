"""What is measured of answers beside their hits: head and tail, novelty, diversity, weight."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipelines.evaluate.names import (
    DIVERSITY,
    NDCG_HEAD,
    NDCG_TAIL,
    NOVELTY,
    RECALL_HEAD,
    RECALL_TAIL,
    WEIGHT,
)
from pipelines.evaluate.ranking import NO_PRODUCT, Ranking, gain_and_recall
from serving.bundle.format import Array, Bundle
from serving.bundle.labels import NO_LABEL

HEAD_SHARE = 1 / 3


@dataclass(frozen=True)
class Traits:
    """What is known of each product at the cut."""

    head: Array  # (P,) bool
    information: Array  # (P,) float64, bits
    category: Array  # (P,) int64, NOTHING where the shop names none
    weight: Array  # (P,) float64, nan where all products weigh the same


def traits(bundle: Bundle) -> Traits:
    """The traits of a bundle's products."""
    share = np.maximum(bundle.popularity, 1) / len(bundle.customers)  # who is answered has a buyer
    differ = (bundle.weight != bundle.weight[:1]).any()
    weight = np.where(differ, bundle.weight.astype(np.float64), np.nan)
    return Traits(head(bundle.popularity), -np.log2(share), bundle.categories.codes, weight)


def head(popularity: Array) -> Array:
    """The short head, (P,) bool: the fewest products that make up a third of all purchases.

    popularity: (P,) distinct buyers; a purchase is a buyer and a product. The others are the long
    tail: Cremonesi, Koren, Turrin (2010).
    """
    order = np.argsort(-popularity, kind="stable")
    bought = popularity[order].astype(np.float64)
    before = np.cumsum(bought) - bought
    found = np.empty(len(order), dtype=bool)
    found[order] = before < HEAD_SHARE * bought.sum()
    return found


def trait_metrics(ranking: Ranking, known: Traits) -> dict[str, Array]:
    """Metrics of head and tail apart, novelty, diversity, weight, (n,) float64 each, nan without any."""
    is_head = known.head[ranking.products]
    ndcg_head, recall_head = gain_and_recall(ranking, is_head)
    ndcg_tail, recall_tail = gain_and_recall(ranking, ~is_head)
    return {
        NDCG_HEAD: ndcg_head,
        NDCG_TAIL: ndcg_tail,
        RECALL_HEAD: recall_head,
        RECALL_TAIL: recall_tail,
        NOVELTY: novelty(ranking.top, known.information),
        DIVERSITY: diversity(ranking.top, known.category),
        WEIGHT: mean_over_list(ranking.top, known.weight),
    }


def novelty(top: Array, information: Array) -> Array:
    """Mean self-information of the answered products, (n,) bits: -log2 of the share of buyers.

    0 where everyone has bought all of them, 10 where one in a thousand has: Zhou et al. (2010).
    """
    return mean_over_list(top, information)


def mean_over_list(top: Array, values: Array) -> Array:
    """The mean over the answered products of a value of theirs, (n,)."""
    there = top != NO_PRODUCT
    return np.asarray(np.where(there, values[top], 0).sum(axis=1) / there.sum(axis=1))


def diversity(top: Array, category: Array) -> Array:
    """The share of pairs of answered products that are of different categories, (n,); nan without pairs.

    Intra-list diversity, Smyth and McClave (2001), by the shop's own categories: factors would be
    judged by themselves, differ from model to model, and a baseline has none. Products without a
    category are in no pair.
    """
    found = np.where(top == NO_PRODUCT, NO_LABEL, category[top])
    pairs, different = np.zeros(len(top)), np.zeros(len(top))
    for one, other in combinations(found.T, 2):
        both = (one != NO_LABEL) & (other != NO_LABEL)
        pairs += both
        different += both & (one != other)
    return different / np.where(pairs > 0, pairs, np.nan)
