"""Splits used in papers, which train on the future: only for comparisons with those papers."""

from dataclasses import replace

import numpy as np

from pipelines.prepare.interactions import Interactions, net_returns
from serving.bundle.format import Array


def random_split(interactions: Interactions, share: float, seed: int) -> tuple[Interactions, Interactions]:
    """Returns (known, truth): a random share of the purchases is held out.

    Only for comparisons with papers. The split favours models of taste, since they train on later purchases
    and on purchases from the same basket (Meng et al. 2020; Ji et al. 2023). On Online Retail II it ranks ALS
    above re-purchase (NDCG@10 0.20 against 0.13), while the cut in time ranks it below (0.27 against 0.34).
    Returns are netted on both sides.
    """
    purchases = _net_purchases(interactions)
    held_out = np.random.default_rng(seed).random(len(purchases.day)) < share
    return _split(purchases, held_out)


def leave_last_out(interactions: Interactions) -> tuple[Interactions, Interactions]:
    """Returns (known, truth): each customer's last day with purchases is held out.

    Only for comparisons with papers. Measures are too high, since models train on what others bought after a
    customer's last day, including later trends. Customers with a single day are in `known` only. Returns are
    netted on both sides.
    """
    purchases = _net_purchases(interactions)
    first, last = (np.full(len(interactions.customers), start) for start in (np.iinfo(np.int64).max, -1))
    np.minimum.at(first, purchases.customer, purchases.day)
    np.maximum.at(last, purchases.customer, purchases.day)
    is_last = purchases.day == last[purchases.customer]
    return _split(purchases, is_last & (first < last)[purchases.customer])


def _net_purchases(interactions: Interactions) -> Interactions:
    """Returns all purchases minus all returns; `returned` is zero."""
    purchases = net_returns(interactions)
    return replace(purchases, returned=np.zeros_like(purchases.returned))


def _split(purchases: Interactions, held_out: Array) -> tuple[Interactions, Interactions]:
    """Returns (known, truth); held_out: (n,) bool."""
    known = purchases.where(~held_out)
    return known.until(int(known.day.max(initial=0))), purchases.where(held_out)
