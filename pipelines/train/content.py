"""Products by their description: vectors of name, category, brand and price."""

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from pipelines import columns as c
from serving.bundle.format import Array

DIMENSION = 192
HASHES = 2**16  # hashed, so that any alphabet and any number of words take the same memory
SHARED = 2  # products that a feature is found in at least: what one alone has says nothing of others
ITERATIONS = 2  # of the power method, enough where the singular values fall as slowly as those of texts
SEED = 4
LETTERS = 0.5  # weight of runs of letters beside a name's words
LABELS = 0.5  # weight of category and of brand
PRICES = 0.3  # weight of a price, per factor e from the shop's typical one
EXTREME = 3.0  # factors e beyond which a price is no dearer or cheaper


def vectors(products: pa.Table) -> Array:
    """Each product's description, (P, DIMENSION) float32 of unit length; zeros without one.

    products: the table `products`. Names are words, pairs of words and runs of letters by TF-IDF,
    category and brand are words of their own, all reduced together: Deerwester et al. (1990). A
    placeholder has no description, a price alone is none, nor is what no other product shares.
    """
    listed = ~products[c.PLACEHOLDER].to_numpy()
    name, category, brand = (_texts(products[one], listed) for one in (c.NAME, c.CATEGORY, c.BRAND))
    features = sp.hstack(
        [
            _tfidf(name, "word", (1, 2)),
            LETTERS * _tfidf(name, "char_wb", (3, 4)),
            LABELS * _labels(category),
            LABELS * _labels(brand),
        ]
    ).tocsr()
    features = features[:, features.getnnz(axis=0) >= SHARED]
    has_text = features.getnnz(axis=1) > 0  # the reduction leaves a trace of rounding in empty rows
    described = normalize(_reduced(features, DIMENSION - 1))
    prices = PRICES * _prices(products[c.PRICE].to_numpy())
    return np.asarray(normalize(np.column_stack([described, prices]) * has_text[:, None]), np.float32)


def no_descriptions(products: int) -> Array:
    """Vectors of products without a description, (P, 1)."""
    return np.zeros((products, 1), np.float32)


def _texts(column: pa.ChunkedArray, listed: Array) -> list[str]:
    return [text if known and text else "" for text, known in zip(column.to_pylist(), listed, strict=True)]


def _tfidf(texts: list[str], analyzer: str, lengths: tuple[int, int]) -> sp.csr_matrix:
    counts = HashingVectorizer(
        analyzer=analyzer,
        ngram_range=lengths,
        n_features=HASHES,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    ).transform(texts)
    return sp.csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(counts))


def _labels(texts: list[str]) -> sp.csr_matrix:
    """One column for each of a shop's labels, (P, L); a product without one has none of them."""
    codes, names = pd.factorize(pd.Series(texts).replace("", None))
    rows = np.flatnonzero(codes >= 0)
    ones = np.ones(len(rows), np.float32)
    return sp.csr_matrix((ones, (rows, codes[rows])), shape=(len(texts), len(names)))


def _reduced(features: sp.csr_matrix, dimension: int) -> Array:
    """The rows in the space of the largest singular vectors, (P, dimension), padded by zeros."""
    if not (rank := min(dimension, *features.shape)):
        return np.zeros((features.shape[0], dimension), np.float32)
    left, values, _ = randomized_svd(features, rank, n_iter=ITERATIONS, random_state=SEED)
    return np.pad(left * values, ((0, 0), (0, dimension - left.shape[1])))


def _prices(price: Array) -> Array:
    """How far the logarithm of a price is from the median, (P,); 0 where it isn't known or positive."""
    known = np.isfinite(price) & (price > 0)
    logs = np.log(np.where(known, price, 1.0))
    typical = np.median(logs[known]) if known.any() else 0.0
    return np.where(known, np.clip(logs - typical, -EXTREME, EXTREME), 0.0)
