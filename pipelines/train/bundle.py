"""The bundle of what was learned until one day."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.settings import Solver
from pipelines.split import Interactions, date_of
from pipelines.sweep import Candidate, Chosen, HalfLives
from pipelines.train import als, repurchase, trend
from pipelines.train.rules import Rules, none
from serving.bundle import Array, Bundle, load, save, texts


def learn(
    known: Interactions,
    products: pa.Table,
    chosen: Chosen,
    rules: Rules,
    solver: Solver,
    manifest: dict[str, Any] | None = None,
) -> Bundle:
    """The bundle of the interactions known at a cut, with its factors fitted to them."""
    strengths = known.matrix(known.orders * known.decay(chosen.als.half_life_days))
    factors = als.fit(strengths, chosen.als, solver)
    settings = chosen.model_dump(exclude={"lanes", "strength"})
    told = {"lanes": chosen.lanes, "strength": chosen.strength, "settings": settings}
    return build(known, products, factors, rules, chosen.half_lives, told | (manifest or {}))


def attempt(known: Interactions, products: pa.Table, candidate: Candidate, solver: Solver) -> Bundle:
    """The bundle of one candidate of the sweep; only ALS needs factors."""
    days = candidate.half_life_days or 1.0
    half_lives = HalfLives(trend=days, repurchase=days)
    silent = none(len(known.products))
    if candidate.als:
        return learn(
            known, products, Chosen(als=candidate.als, half_lives=half_lives, lanes={}), silent, solver
        )
    factors = als.nothing(len(known.customers), len(known.products))
    return build(known, products, factors, silent, half_lives, {"lanes": {}})


def reopened(bundle: Bundle) -> Bundle:
    """The bundle as it comes back from its files, which are gone once it is let go."""
    with tempfile.TemporaryDirectory() as folder:
        return load(save(bundle, Path(folder) / "bundle"))  # mapped files live on until unmapped


def weights(products: pa.Table) -> Array:
    """What a sale of each product is worth, (P,) float32: 1 where the shop gives no number above zero."""
    if c.WEIGHT not in products.schema.names:  # as an older release wrote the table
        return np.ones(products.num_rows, np.float32)
    with np.errstate(over="ignore"):
        given = products[c.WEIGHT].to_numpy().astype(np.float32)
    return np.where((given > 0) & np.isfinite(given), given, np.float32(1))


def hidden(products: pa.Table) -> Array:
    """Whether a rule of the shop excludes each product, (P,) bool."""
    if c.HIDDEN not in products.schema.names:
        return np.zeros(products.num_rows, bool)
    return np.asarray(products[c.HIDDEN])


def build(
    known: Interactions,
    products: pa.Table,
    factors: als.Factors,
    rules: Rules,
    half_lives: HalfLives,
    manifest: dict[str, Any],
) -> Bundle:
    """The bundle of the interactions known at a cut.

    products: the table `products`, sorted as the interactions' product ids.
    """
    last = int(known.day.max())
    history = repurchase.history(known, half_lives.repurchase)
    counts = {
        "customers": len(known.customers),
        "products": len(known.products),
        "interactions": len(known.day),
        "rules": len(rules.consequent),
    }
    window = {"first_day": str(date_of(known.day.min())), "last_day": str(date_of(last))}
    return Bundle(
        customers=known.customers,
        products=known.products,
        **{
            name: texts([text or "" for text in products[name].to_pylist()])
            for name in (c.NAME, c.CATEGORY, c.BRAND)
        },
        price=products[c.PRICE].to_numpy(),
        in_stock=products[c.IN_STOCK].to_numpy(),
        weight=weights(products),
        hidden=hidden(products),
        popularity=trend.popularity(known),
        trend=trend.trend(known, half_lives.trend),
        recent=trend.recent(known, last),
        history_start=history.start,
        history_product=history.product,
        history_orders=history.orders,
        history_last=history.last,
        history_strength=history.strength,
        user_factors=factors.users,
        item_factors=factors.items,
        rule_start=rules.start,
        rule_consequent=rules.consequent,
        rule_confidence=rules.confidence,
        rule_lift=rules.lift,
        rule_support=rules.support,
        rule_count=rules.count,
        manifest={"recent_days": list(trend.RECENT_DAYS), "window": window, "counts": counts} | manifest,
    )
