"""Content vectors of products, with and without missing columns."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.train import content

pytestmark = pytest.mark.fast


def shelf(*rows):
    """A table `products` of (name, category, brand, price) rows, listed unless a name ends in `?`."""
    n, parts = len(rows), list(zip(*rows, strict=True))
    texts = {name: pa.array(parts[i], pa.string()) for i, name in enumerate((c.NAME, c.CATEGORY, c.BRAND))}
    listed = [not (name or "").endswith("?") for name in parts[0]]
    price = pa.array(parts[3], pa.float64())
    return pa.table(
        texts
        | {c.PRICE: price, c.IN_STOCK: [True] * n, c.PLACEHOLDER: [not is_listed for is_listed in listed]}
    )


def cosines(*rows):
    vectors = content.vectors(shelf(*rows))
    assert vectors.shape == (len(rows), content.DIMENSION)
    assert vectors.dtype == np.float32
    return vectors @ vectors.T


def test_names_with_shared_words_are_closer_than_names_without():
    similarity = cosines(
        *[(name, None, None, 2.0) for name in ("red lunch bag", "blue lunch bag", "red wall clock", "чашка")]
    )
    assert similarity[0, 1] > similarity[0, 2] > 0.05
    assert similarity[1, 2] < 0.2
    assert not similarity[3].any()  # shares no feature with another product


def test_inflected_words_in_any_alphabet_are_similar():
    similarity = cosines(
        *[(name, None, None, None) for name in ("чай зелёный", "чая зелёного", "кофе молотый", "кофе зерно")]
    )
    assert similarity[0, 1] > 0.5 > abs(similarity[0, 2])


def test_category_brand_and_price_separate_products_with_equal_names():
    tea = cosines(("tea", "Tea", "Acme", 2.0), ("tea", "Tea", "Acme", 9.0), ("tea", "Tea", "Best", 2.0))
    assert tea[0, 1] < 1 - 1e-6
    other = cosines(("a b", "Tea", None, 2.0), ("c d", "Tea", None, 2.0), ("e f", "Cup", None, 2.0))
    assert other[0, 1] == pytest.approx(1)
    assert other[0, 2] < 0.1


@pytest.mark.parametrize(
    "rows",
    [
        [("tea", "Tea", "Acme", 1.0)],
        [(None, None, None, None)],
        [("", "", "", 1.0), ("", None, None, 2.0)],
        [("tea", None, None, np.nan), ("tea", None, None, 0.0), ("tea", None, None, 3.0)],
        [("12?", "Tea", None, None), ("12?", "Tea", None, None)],
    ],
)
def test_vectors_of_a_sparse_catalogue_have_unit_length_or_are_zero(rows):
    lengths = np.linalg.norm(content.vectors(shelf(*rows)), axis=1)
    assert set(lengths.round(5).tolist()) <= {0.0, 1.0}
    has_vectors = len(rows) > 1 and all(row[0] == "tea" for row in rows)
    assert lengths.any() == has_vectors


def test_a_placeholder_has_no_description():
    vectors = content.vectors(
        shelf(("tea", "Tea", None, 1.0), ("tea", "Tea", None, 1.0), ("tea?", "Tea", None, 1.0))
    )
    assert vectors.any(axis=1).tolist() == [True, True, False]


def test_the_same_catalogue_gives_the_same_vectors():
    rows = [(f"tea {n % 7} of {n % 5}", f"c{n % 3}", None, float(n + 1)) for n in range(50)]
    np.testing.assert_array_equal(content.vectors(shelf(*rows)), content.vectors(shelf(*rows)))
