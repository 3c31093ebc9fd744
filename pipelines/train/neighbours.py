"""Nearest neighbours of products, by shared customers or shared baskets."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import ItemItemRecommender
from threadpoolctl import threadpool_limits

from pipelines.prepare.interactions import Interactions
from serving.bundle.format import Array

COUNT = 50  # neighbours of a product
BUYER_HALF_LIFE, BASKET_HALF_LIFE = 180.0, 365.0  # days


@dataclass(frozen=True)
class Neighbours:
    """The nearest other products of each product, unordered; padded with product 0 at cosine 0."""

    products: Array  # (P, COUNT) int32
    cosine: Array  # (P, COUNT) float32


def by_buyers(known: Interactions) -> Neighbours:
    """Returns neighbours by shared customers; a customer's decayed purchases count at most once."""
    return _nearest(_capped(known.matrix(known.decay(BUYER_HALF_LIFE))))


def by_baskets(known: Interactions) -> Neighbours:
    """Returns neighbours by shared baskets (a customer's purchases of one day), decayed by age."""
    span = int(known.day.max(initial=0)) + 1
    _, basket = np.unique(known.customer * span + known.day, return_inverse=True)
    weight = known.decay(BASKET_HALF_LIFE).astype(np.float32)
    shape = (int(basket.max(initial=0)) + 1, len(known.products))
    return _nearest(sp.csr_matrix((weight, (basket, known.product)), shape=shape))


def _capped(strengths: sp.csr_matrix) -> sp.csr_matrix:
    """Returns the same matrix after limiting its values to 1."""
    strengths.data = np.minimum(strengths.data, 1)
    return strengths


def _nearest(strengths: sp.csr_matrix) -> Neighbours:
    """Returns, for each product, those whose columns have the highest cosine: Sarwar et al. (2001)."""
    width = strengths.shape[1]
    norm = np.sqrt(np.asarray(strengths.multiply(strengths).sum(axis=0)).ravel())
    unit = sp.csr_matrix(strengths @ sp.diags(1 / np.where(norm > 0, norm, 1)), dtype=np.float64)
    with threadpool_limits(limits=1, user_api="blas"):
        model = ItemItemRecommender(K=COUNT + 1)  # a product is its own nearest neighbour
        model.fit(unit, show_progress=False)
    similarity = sp.csr_matrix(model.similarity)
    row = np.repeat(np.arange(width), np.diff(similarity.indptr))
    is_other = similarity.indices != row
    row, neighbour = row[is_other], similarity.indices[is_other]
    column = np.arange(len(row)) - np.searchsorted(row, row)
    within = column < COUNT
    products, cosine = np.zeros((width, COUNT), np.int32), np.zeros((width, COUNT), np.float32)
    products[row[within], column[within]] = neighbour[within]
    cosine[row[within], column[within]] = similarity.data[is_other][within]
    return Neighbours(products, cosine)
