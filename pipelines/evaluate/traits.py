"""Metrics beside ranking: short head and long tail, novelty, diversity, product weight."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipelines.evaluate.names import (
    DIVERSITY,
    NDCG_HEAD,
    NDCG_TAIL,
    NO_PRODUCT,
    NOVELTY,
    RECALL_HEAD,
    RECALL_TAIL,
    WEIGHT,
)
from pipelines.evaluate.ranking import Ranking, gain_and_recall
from serving.bundle.format import Array, Bundle
from serving.bundle.labels import NO_LABEL

HEAD_SHARE = 1 / 3


@dataclass(frozen=True)
class Traits:
    """Properties of the P products at the cut."""

    head: Array  # (P,) bool
    information: Array  # (P,) float64, bits
    category: Array  # (P,) int64, NO_LABEL if the shop names none
    weight: Array  # (P,) float64, nan if all weights are equal


def traits(bundle: Bundle) -> Traits:
    """Returns the properties of a bundle's products."""
    buyers = np.maximum(bundle.popularity, 1)  # a product without a buyer counts as having one
    share = buyers / len(bundle.customers)
    differ = (bundle.weight != bundle.weight[:1]).any()
    weight = np.where(differ, bundle.weight.astype(np.float64), np.nan)
    return Traits(head(bundle.popularity), -np.log2(share), bundle.categories.codes, weight)


def head(popularity: Array) -> Array:
    """Returns whether each product is in the short head, (P,) bool.

    The head is the smallest set of products with a third of all purchases, the others are the long tail:
    Cremonesi, Koren, Turrin (2010). popularity: (P,) distinct buyers, counted as purchases.
    """
    order = np.argsort(-popularity, kind="stable")
    bought = popularity[order].astype(np.float64)
    before = np.cumsum(bought) - bought
    is_head = np.empty(len(order), dtype=bool)
    is_head[order] = before < HEAD_SHARE * bought.sum()
    return is_head


def trait_metrics(ranking: Ranking, known: Traits) -> dict[str, Array]:
    """Returns each metric for n customers, (n,) float64; nan if a customer has nothing to measure it on."""
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
    """Returns the mean self-information of recommended products, (n,) float64 bits: Zhou et al. (2010).

    Self-information is -log2 of the share of customers who bought the product: 0 if all did, 10 if one in a
    thousand did. top: (n, K) int32 product rows, NO_PRODUCT behind the last. information: (P,) float64.

    >>> novelty(np.array([[0, 1]]), np.array([1.0, 3.0]))
    array([2.])
    """
    return mean_over_list(top, information)


def mean_over_list(top: Array, values: Array) -> Array:
    """Returns the mean of the values over the products of each list, (n,) float64.

    top: (n, K) int32 product rows, NO_PRODUCT behind the last. values: (P,) float64.
    """
    exists = top != NO_PRODUCT
    return np.asarray(np.where(exists, values[top], 0).sum(axis=1) / exists.sum(axis=1))


def diversity(top: Array, category: Array) -> Array:
    """Returns the share of pairs in a list whose categories differ, (n,) float64; nan without pairs.

    Intra-list diversity: Smyth and McClave (2001). Distances are by category, not by factors, so that models
    are comparable and baselines have a value too. Products without a category are in no pair. top: (n, K)
    int32 product rows. category: (P,) int64.

    >>> diversity(np.array([[0, 1, 2]]), np.array([7, 7, 8])).round(2)
    array([0.67])
    """
    labels = np.where(top == NO_PRODUCT, NO_LABEL, category[top])
    pairs, different = np.zeros(len(top)), np.zeros(len(top))
    for first, second in combinations(labels.T, 2):
        both = (first != NO_LABEL) & (second != NO_LABEL)
        pairs += both
        different += both & (first != second)
    return different / np.where(pairs > 0, pairs, np.nan)
