"""The bundle of what was learned until one day."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines import columns as c
from pipelines.settings import Solver
from pipelines.split import Interactions, date_of
from pipelines.sweep import Candidate, Chosen, HalfLives
from pipelines.train import als, repurchase, trend
from pipelines.train.rules import Rules, none
from serving.bundle import Bundle, load, save, texts


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
    told = {"lanes": chosen.lanes, "settings": chosen.model_dump(exclude={"lanes"})}
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
    history, fitted = repurchase.history(known, half_lives.repurchase), factors.settings
    counts = {
        "customers": len(known.customers),
        "products": len(known.products),
        "interactions": len(known.day),
        "rules": len(rules.rule_consequent) + len(rules.triple_consequent),
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
        popularity=trend.popularity(known),
        trend=trend.trend(known, half_lives.trend),
        recent=trend.recent(known, last),
        history_start=history.start,
        history_product=history.product,
        history_orders=history.orders,
        history_last=history.last,
        history_strength=history.strength,
        history_weight=known.matrix(known.orders * known.decay(fitted.half_life_days)).data * fitted.alpha,
        user_factors=factors.users,
        item_factors=factors.items,
        item_gram=factors.gram,
        **vars(rules),
        manifest={"recent_days": list(trend.RECENT_DAYS), "window": window, "counts": counts} | manifest,
    )
