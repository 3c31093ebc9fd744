"""Content vectors of products: name, category, brand and price."""

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
HASHES = 2**16  # features are hashed, so memory does not grow with the vocabulary
MIN_PRODUCTS = 2  # a feature that a single product has relates it to no other
POWER_ITERATIONS = 2  # of the randomised SVD; more change little on texts
SEED = 4
LETTER_WEIGHT = 0.5  # of letter n-grams; the words of a name have weight 1
LABEL_WEIGHT = 0.5  # of category and of brand
PRICE_WEIGHT = 0.3  # of the log price minus the shop's median log price
MAX_LOG_PRICE = 3.0  # log prices are clipped this far from the median


def vectors(products: pa.Table) -> Array:
    """Returns the products' content vectors, (P, DIMENSION) float32 of unit length.

    products: the table `products`. TF-IDF of the names' words, word pairs and letter n-grams and one-hot
    category and brand are reduced together by latent semantic analysis: Deerwester et al. (1990).

    The vector is zero for a placeholder, for a product without any text, and for a product that shares no
    feature with another.
    """
    listed = ~products[c.PLACEHOLDER].to_numpy()
    name, category, brand = (_texts(products[column], listed) for column in (c.NAME, c.CATEGORY, c.BRAND))
    features = sp.hstack(
        [
            _tfidf(name, "word", (1, 2)),
            LETTER_WEIGHT * _tfidf(name, "char_wb", (3, 4)),
            LABEL_WEIGHT * _labels(category),
            LABEL_WEIGHT * _labels(brand),
        ]
    ).tocsr()
    features = features[:, features.getnnz(axis=0) >= MIN_PRODUCTS]
    has_text = features.getnnz(axis=1) > 0  # the SVD leaves rounding errors in empty rows
    reduced = normalize(_reduced(features, DIMENSION - 1))
    prices = PRICE_WEIGHT * _prices(products[c.PRICE].to_numpy())
    return np.asarray(normalize(np.column_stack([reduced, prices]) * has_text[:, None]), np.float32)


def no_descriptions(products: int) -> Array:
    """Returns the vectors of P products without a description, (P, 1) float32 zeros."""
    return np.zeros((products, 1), np.float32)


def _texts(column: pa.ChunkedArray, listed: Array) -> list[str]:
    """Returns the texts of a column, empty for null and for products that are not listed, (P,) bool."""
    return [
        text if is_listed and text else "" for text, is_listed in zip(column.to_pylist(), listed, strict=True)
    ]


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
    """Returns the one-hot labels, (P, L) float32; the row of a product without a label is empty."""
    codes, names = pd.factorize(pd.Series(texts).replace("", None))
    rows = np.flatnonzero(codes >= 0)
    ones = np.ones(len(rows), np.float32)
    return sp.csr_matrix((ones, (rows, codes[rows])), shape=(len(texts), len(names)))


def _reduced(features: sp.csr_matrix, dimension: int) -> Array:
    """Returns the rows projected on the largest singular vectors, (P, dimension), padded with zeros."""
    if not (rank := min(dimension, *features.shape)):
        return np.zeros((features.shape[0], dimension), np.float32)
    left, values, _ = randomized_svd(features, rank, n_iter=POWER_ITERATIONS, random_state=SEED)
    return np.pad(left * values, ((0, 0), (0, dimension - left.shape[1])))


def _prices(price: Array) -> Array:
    """Returns the log prices minus their median, (P,) float64; 0 where a price is missing or <= 0."""
    known = np.isfinite(price) & (price > 0)
    logs = np.log(np.where(known, price, 1.0))
    typical = np.median(logs[known]) if known.any() else 0.0
    return np.where(known, np.clip(logs - typical, -MAX_LOG_PRICE, MAX_LOG_PRICE), 0.0)
