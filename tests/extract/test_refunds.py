"""Refunded lines take away what the order's own lines still state, and no more."""

import pytest

from pipelines import columns as c
from pipelines.extract.shops.profile import load_profile
from pipelines.extract.shops.rows import lines_of_orders

pytestmark = pytest.mark.fast


def refund(number, pieces, state="Settled"):
    line = {"unitPriceWithTax": "1079", "productVariant": {"sku": "P1"}}
    return {
        "id": number,
        "state": state,
        "lines": [{"orderLineId": "1", "quantity": pieces, "orderLine": line}],
    }


def kept(stated, placed, refunds=(), modifications=()):
    """Returns how many pieces of a Vendure order's only line are learned."""
    for made in refunds:
        made["lines"][0]["orderLine"] |= {"quantity": str(stated), "orderPlacedQuantity": str(placed)}
    order = {
        "id": "7",
        "state": "PaymentSettled",
        "orderPlacedAt": "2026-11-30T10:00:00Z",
        "lines": [{"quantity": str(stated), "unitPriceWithTax": "1079", "productVariant": {"sku": "P1"}}],
        "payments": [{"refunds": list(refunds)}],
        "modifications": [
            {"refund": {"id": made} if made else None, "lines": [{"orderLineId": "1", "quantity": pieces}]}
            for made, pieces in modifications
        ],
    }
    lines = lines_of_orders([order], load_profile("vendure"), "a test").to_pandas()
    lines = lines[lines[c.LEFT_OUT].isna()]
    assert set(lines[c.UNIT_PRICE]) <= {"10.79"}
    return lines[c.QUANTITY].astype(float).sum()


def test_a_refund_takes_pieces_away_that_the_line_still_states():
    assert kept(3, 3) == 3
    assert kept(3, 3, [refund("1", "1")]) == 2
    assert kept(3, 3, [refund("1", "1"), refund("2", "2")]) == 0


def test_a_failed_refund_takes_nothing_away():
    assert kept(3, 3, [refund("1", "1", "Failed")]) == 3


def test_pieces_that_were_refunded_and_cancelled_count_once():
    assert kept(2, 3, [refund("1", "1")]) == 2


def test_a_refund_made_by_a_modification_takes_nothing_away():
    assert kept(2, 3, [refund("1", "1")], [("1", "-1")]) == 2
    assert kept(2, 0, [refund("1", "1")], [(None, "3"), ("1", "-1")]) == 2  # a line added later


def test_a_refund_after_a_modification_takes_its_own_pieces_away():
    assert kept(2, 3, [refund("1", "1"), refund("2", "1")], [("1", "-1")]) == 1
    assert kept(3, 0, [refund("2", "1")], [(None, "3")]) == 2


def test_a_refund_listed_with_several_payments_takes_away_no_more_than_the_line_states():
    assert kept(3, 3, [refund("1", "3"), refund("2", "3")]) == 0
