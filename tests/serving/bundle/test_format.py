"""A bundle finds the rows of ids."""

import bundles
import pytest

from serving.bundle.format import Bundle, find_row, texts

pytestmark = pytest.mark.fast


def test_finds_the_row_of_each_id_and_of_no_other_text(bundle: Bundle) -> None:
    assert [bundle.product(product) for product in bundles.PRODUCTS] == list(range(7))
    for unknown in ("", "coffee", "coffee-11", "coffee-1\0", "zzz", "Кофе", "x" * 1000):
        assert bundle.product(unknown) is None
    assert find_row(texts([]), "anything") is None
