"""Prices of order lines: converted and rounded; what can't be a price stays as the source states it."""

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.extract import amounts


@pytest.mark.fast
@pytest.mark.parametrize("stated", ["1e308", "-1e308", "1e200", "nonsense", "nan", "inf"])
def test_what_cannot_be_a_price_stays_as_stated(stated):
    lines = {c.UNIT_PRICE: pa.chunked_array([[stated, "250"]]), c.QUANTITY: pa.chunked_array([["1", "1"]])}
    assert amounts.unit_price(lines, 100, None).to_pylist() == [stated, "2.5"]


@pytest.mark.fast
@pytest.mark.parametrize("quantity", ["1e-308", "0"])
def test_an_amount_divided_by_next_to_nothing_stays_as_stated(quantity):
    lines = {c.AMOUNT: pa.chunked_array([["1e10", "9"]]), c.QUANTITY: pa.chunked_array([[quantity, "2"]])}
    assert amounts.unit_price(lines, 1, None).to_pylist() == ["1e10", "4.5"]
