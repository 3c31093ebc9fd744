"""Splits used in papers, which train on the future: only for comparisons with those papers."""

from dataclasses import replace

import numpy as np

from pipelines.prepare.interactions import Interactions, net_returns
from serving.bundle.format import Array


def random_split(shop: Interactions, share: float, seed: int) -> tuple[Interactions, Interactions]:
    """Returns (known, truth): a random share of the purchases is held out.

    Only for comparisons with papers. The split favours models of taste, since they train on later purchases
    and on purchases from the same basket (Meng et al. 2020; Ji et al. 2023). On Online Retail II it ranks ALS
    above re-purchase (NDCG@10 0.20 to 0.13), while the cut in time ranks it below (0.27 to 0.34). Returns are
    netted on both sides.
    """
    purchases = _kept(shop)
    held_out = np.random.default_rng(seed).random(len(purchases.day)) < share
    return _split(purchases, held_out)


def leave_last_out(shop: Interactions) -> tuple[Interactions, Interactions]:
    """Returns (known, truth): each customer's last day with purchases is held out.

    Only for comparisons with papers. Measures are too high, since models train on what others bought after a
    customer's last day, including later trends. Customers with a single day are in `known` only. Returns are
    netted on both sides.
    """
    purchases = _kept(shop)
    first, last = (np.full(len(shop.customers), start) for start in (np.iinfo(np.int64).max, -1))
    np.minimum.at(first, purchases.customer, purchases.day)
    np.maximum.at(last, purchases.customer, purchases.day)
    is_last = purchases.day == last[purchases.customer]
    return _split(purchases, is_last & (first < last)[purchases.customer])


def _kept(shop: Interactions) -> Interactions:
    """Returns all purchases minus all returns, with no returns left."""
    kept = net_returns(shop)
    return replace(kept, returned=np.zeros_like(kept.returned))


def _split(purchases: Interactions, held_out: Array) -> tuple[Interactions, Interactions]:
    known = purchases.where(~held_out)
    return known.until(int(known.day.max(initial=0))), purchases.where(held_out)
