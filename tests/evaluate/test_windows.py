"""Cuts in time: returns, windows, folds, and the splits of papers."""

import datetime as dt

import numpy as np
import pytest
from shops import interactions_of, random_shop

from pipelines.compare.splits import leave_last_out, random_split
from pipelines.evaluate.windows import Windows, folds, windows
from pipelines.prepare.interactions import day_number
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast


def purchases_of(interactions):
    """Returns rows of (customer, product, day, units)."""
    customers, products = interactions.customers, interactions.products
    return [
        (customers[customer].decode(), products[product].decode(), int(day), float(units))
        for customer, product, day, units in zip(
            interactions.customer, interactions.product, interactions.day, interactions.quantity, strict=True
        )
    ]


def test_returns_are_netted_from_the_oldest_purchases_first():
    shop = interactions_of(
        [("a", "x", 1, 3, 0), ("a", "x", 2, 2, 0), ("a", "x", 3, 0, 4), ("b", "x", 1, 1, 0)]
    )
    # 3 + 2 bought, 4 returned: the three of day 1 and one of day 2 are gone
    assert purchases_of(shop.until(3)) == [("a", "x", 2, 1.0), ("b", "x", 1, 1.0)]


def test_a_purchase_after_a_full_return_is_kept():
    shop = interactions_of([("a", "x", 1, 5, 0), ("a", "x", 2, 0, 5), ("a", "x", 9, 2, 0)])
    assert purchases_of(shop.until(9)) == [("a", "x", 9, 2.0)]


def test_a_return_after_the_cut_removes_nothing_before_it():
    shop = interactions_of([("a", "x", 1, 5, 0), ("a", "x", 9, 0, 5)])
    assert purchases_of(shop.until(8)) == [("a", "x", 1, 5.0)]
    assert purchases_of(shop.until(9)) == []


def test_returning_more_than_bought_affects_no_other_product():
    shop = interactions_of([("a", "x", 1, 1, 0), ("a", "x", 2, 0, 9), ("a", "y", 1, 1, 0)])
    assert purchases_of(shop.until(2)) == [("a", "y", 1, 1.0)]


def test_customers_who_first_buy_later_are_unknown_at_the_cut():
    shop = interactions_of([("a", "x", 1, 1, 0), ("b", "x", 5, 1, 0)])
    assert shop.until(4).customers.tolist() == [b"a"]
    assert purchases_of(shop.bought(after=1, until=5)) == [("b", "x", 5, 1.0)]


def test_a_purchase_counts_half_after_a_half_life():
    shop = interactions_of([("a", "x", 0, 1, 0), ("a", "x", 10, 1, 0), ("a", "x", 20, 1, 0)])
    assert shop.decay(10).tolist() == [0.25, 0.5, 1.0]


def test_windows_follow_each_other_and_a_short_history_gets_shorter_ones():
    as_of = dt.date(2026, 6, 30)
    last = day_number(as_of)
    long = interactions_of([("a", "x", last - 399, 1, 0), ("a", "x", last, 1, 0)])
    short = interactions_of([("a", "x", last - 59, 1, 0)])
    cut = windows(long, as_of, 28)
    assert (cut.train, cut.validation, cut.test) == (last - 56, last - 28, last)
    cut = windows(short, as_of, 28)
    assert (cut.train, cut.validation, cut.test) == (last - 24, last - 12, last)  # 60 // 5 days each


def test_too_short_a_history_raises():
    with pytest.raises(NightshelfError, match="4 days of orders up to 2026-06-30 are too few"):
        windows(
            interactions_of([("a", "x", day_number(dt.date(2026, 6, 27)), 1, 0)]), dt.date(2026, 6, 30), 28
        )


def test_a_random_split_holds_out_a_share_and_loses_nothing(seed):
    shop = random_shop(seed, rows=2000, customers=300)
    before, truth = random_split(shop, 0.2, seed)
    assert sorted(purchases_of(before) + purchases_of(truth)) == sorted(purchases_of(shop.until(50)))
    # some 1,700 purchases are kept: five standard deviations are 0.05
    assert len(truth.day) / (len(truth.day) + len(before.day)) == pytest.approx(0.2, abs=0.05)
    assert (
        before.customers.tolist()
        == np.unique(shop.customers[np.isin(shop.customers, before.customers)]).tolist()
    )
    # a customer without a purchase left is unknown
    assert set(before.customer) == set(range(len(before.customers)))
    assert before.day.max() > truth.day.min()  # the split trains on the future


def test_a_random_split_is_the_same_for_a_seed(seed):
    shop = random_shop(seed)
    splits = [random_split(shop, 0.3, number) for number in (seed, seed, seed + 1)]
    assert purchases_of(splits[0][1]) == purchases_of(splits[1][1]) != purchases_of(splits[2][1])


def test_leave_last_out_holds_out_each_customers_last_day():
    shop = interactions_of(
        [
            ("a", "x", 1, 1, 0),
            ("a", "y", 3, 1, 0),
            ("a", "z", 3, 2, 0),
            ("a", "x", 9, 0, 1),  # a return, which cancels the purchase of day 1
            ("a", "w", 2, 1, 0),
            ("b", "x", 7, 1, 0),  # a single day: in `known` only
            ("c", "x", 4, 1, 1),  # returned on the same day
        ]
    )
    before, truth = leave_last_out(shop)
    assert purchases_of(before) == [("a", "w", 2, 1.0), ("b", "x", 7, 1.0)]
    assert purchases_of(truth) == [("a", "y", 3, 1.0), ("a", "z", 3, 2.0)]
    assert before.customers.tolist() == [b"a", b"b"]


def test_a_return_on_the_day_of_purchase_is_netted_once():
    shop = interactions_of([("a", "x", 1, 5, 2), ("a", "y", 2, 1, 0)])
    before, _ = leave_last_out(shop)
    assert purchases_of(before) == [("a", "x", 1, 3.0)]


def test_folds_go_back_window_by_window():
    cut = Windows(train=60, validation=70, test=80)
    assert folds(cut, 1, first_day=0) == [(60, 70)]
    assert folds(cut, 3, first_day=0) == [(60, 70), (50, 60), (40, 50)]


def test_folds_with_too_little_to_train_on_are_left_out_except_the_latest():
    cut = Windows(train=60, validation=70, test=80)
    assert folds(cut, 5, first_day=41) == [(60, 70)]
    assert folds(cut, 5, first_day=40) == [(60, 70), (50, 60)]
    assert folds(cut, 5, first_day=30) == [(60, 70), (50, 60), (40, 50)]
    assert folds(cut, 5, first_day=60) == [(60, 70)]
