"""The bundle of what was learned until one day."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines import columns as c
from pipelines.settings import Solver
from pipelines.split import Interactions, date_of
from pipelines.sweep import Candidate, Chosen, HalfLives
from pipelines.train import als, ranker, repurchase, trend
from pipelines.train.ranker import RankerSettings
from pipelines.train.rules import Rules, none
from serving import trees
from serving.bundle import Bundle, load, save, texts


def learn(
    known: Interactions,
    products: pa.Table,
    chosen: Chosen,
    rules: Rules,
    solver: Solver,
    manifest: dict[str, Any] | None = None,
) -> Bundle:
    """The bundle of the interactions known at a cut, with factors and ranker fitted to them alone."""
    told = {"lanes": chosen.lanes, "settings": chosen.model_dump(exclude={"lanes"})}
    bundle = _factorised(known, products, chosen, rules, solver, told | (manifest or {}))
    if chosen.ranker is None:
        return bundle
    windows = [
        _window(known, cut, products, chosen, chosen.ranker, solver)
        for cut in ranker.cuts(known, chosen.ranker)
    ]
    return replace(bundle, ranker=ranker.fit(windows, chosen.ranker))


def attempt(known: Interactions, products: pa.Table, candidate: Candidate, solver: Solver) -> Bundle:
    """The bundle of one candidate of the sweep; only ALS and the ranker need factors."""
    days = candidate.half_life_days or 1.0
    half_lives = HalfLives(trend=days, repurchase=days)
    silent = none(len(known.products))
    if candidate.als:
        chosen = Chosen(als=candidate.als, ranker=candidate.ranker, half_lives=half_lives, lanes={})
        return learn(known, products, chosen, silent, solver)
    factors = als.nothing(len(known.customers), len(known.products))
    return build(known, products, factors, silent, half_lives, {"lanes": {}})


def _factorised(
    known: Interactions,
    products: pa.Table,
    chosen: Chosen,
    rules: Rules,
    solver: Solver,
    manifest: dict[str, Any],
) -> Bundle:
    strengths = known.matrix(known.orders * known.decay(chosen.als.half_life_days))
    factors = als.fit(strengths, chosen.als, solver)
    return build(
        known,
        products,
        factors,
        rules,
        chosen.half_lives,
        manifest,
        chosen.als.trend_power,
        chosen.ranker is not None,
    )


def _window(
    known: Interactions,
    cut: tuple[int, int],
    products: pa.Table,
    chosen: Chosen,
    settings: RankerSettings,
    solver: Solver,
) -> ranker.Examples:
    """What a bundle of an earlier cut was to answer in the window after it."""
    day, end = cut
    silent = none(len(known.products))
    earlier = _factorised(ranker.before(known, day), products, chosen, silent, solver, {"lanes": {}})
    return ranker.examples(earlier, known.bought(day, end), settings)


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
    trend_power: float = 0.0,
    ranked: bool = False,
) -> Bundle:
    """The bundle of the interactions known at a cut; what a ranker looks at is in it, where `ranked`.

    products: the table `products`, sorted as the interactions' product ids.
    """
    last = int(known.day.max())
    history = repurchase.history(known, half_lives.repurchase)
    looked_at = (
        ranker.arrays(known, history)
        if ranked
        else ranker.nothing(len(known.customers), len(known.products), len(history.product))
    )
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
        boost=trend.boost(known, trend_power),
        **looked_at,
        ranker=trees.none(),
        rule_start=rules.start,
        rule_consequent=rules.consequent,
        rule_confidence=rules.confidence,
        rule_lift=rules.lift,
        rule_support=rules.support,
        rule_count=rules.count,
        manifest={"recent_days": list(trend.RECENT_DAYS), "window": window, "counts": counts} | manifest,
    )
