"""The bundle of what was learned until one day."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.settings import Solver
from pipelines.split import Interactions, date_of
from pipelines.sweep import Candidate, Chosen, HalfLives
from pipelines.train import als, content, groups, newcomers, ranker, repurchase, trend
from pipelines.train.ranker import RankerSettings
from pipelines.train.rules import Rules, none
from serving import trees
from serving.bundle import Array, Bundle, load, save, texts


def learn(
    known: Interactions,
    products: pa.Table,
    chosen: Chosen,
    rules: Rules,
    solver: Solver,
    manifest: dict[str, Any] | None = None,
    described: Array | None = None,
    grouped: pa.Table = groups.NOBODY,
) -> Bundle:
    """The bundle of the interactions known at a cut, with factors and ranker fitted to them alone.

    described: (P, d) content vectors of the products; made from their descriptions where None.
    grouped: the table `groups`; without it the bundle has none, and strangers get the overall trend.
    """
    settings = chosen.model_dump(exclude={"lanes", "strength"})
    told = {"lanes": chosen.lanes, "strength": chosen.strength, "settings": settings} | (manifest or {})
    vectors = content.vectors(products) if described is None else described
    bundle = _factorised(known, products, chosen, rules, solver, told, vectors, grouped)
    if chosen.ranker is None:
        return bundle
    windows = [
        _window(known, cut, products, chosen, chosen.ranker, solver)
        for cut in ranker.cuts(known, chosen.ranker)
    ]
    return replace(bundle, ranker=ranker.fit(windows, chosen.ranker))


def attempt(known: Interactions, products: pa.Table, candidate: Candidate, solver: Solver) -> Bundle:
    """The bundle of one candidate of the sweep; only ALS and the ranker need factors.

    It knows no descriptions: what nobody has bought yet decides nothing between candidates.
    """
    days = candidate.half_life_days or 1.0
    half_lives = HalfLives(trend=days, repurchase=days)
    silent = none(len(known.products))
    if candidate.als:
        chosen = Chosen(als=candidate.als, ranker=candidate.ranker, half_lives=half_lives, lanes={})
        return learn(known, products, chosen, silent, solver, described=content.nothing(len(known.products)))
    factors = als.nothing(len(known.customers), len(known.products))
    return build(known, products, factors, silent, half_lives, {"lanes": {}})


def _factorised(
    known: Interactions,
    products: pa.Table,
    chosen: Chosen,
    rules: Rules,
    solver: Solver,
    manifest: dict[str, Any],
    described: Array | None = None,
    grouped: pa.Table = groups.NOBODY,
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
        described,
        grouped,
        chosen.als.trend_power,
        ranked=chosen.ranker is not None,
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
    described: Array | None = None,
    grouped: pa.Table = groups.NOBODY,
    trend_power: float = 0.0,
    ranked: bool = False,
) -> Bundle:
    """The bundle of the interactions known at a cut; what a ranker looks at is in it, where `ranked`.

    products: the table `products`, sorted as the interactions' product ids. described: (P, d) their
    content vectors; none has a description where None. grouped: the table `groups`.
    """
    last = int(known.day.max())
    history, fitted = repurchase.history(known, half_lives.repurchase), factors.settings
    buyers, trends = trend.popularity(known), trend.trend(known, half_lives.trend)
    lately = trend.trend(known, trend.BOOST_HALF_LIFE)
    vectors = content.nothing(len(known.products)) if described is None else described
    in_stock = products[c.IN_STOCK].to_numpy()
    new = newcomers.expected(vectors, in_stock, buyers, factors.items, lately)
    within = groups.trends(known, grouped, half_lives.trend)
    looked_at = (
        ranker.arrays(known, history)
        if ranked
        else ranker.nothing(len(known.customers), len(known.products), len(history.product))
    )
    counts = {
        "customers": len(known.customers),
        "products": len(known.products),
        "interactions": len(known.day),
        "rules": len(rules.rule_consequent) + len(rules.triple_consequent),
        "new_products": len(new.rows),
        "groups": len(within.names),
    }
    window = {"first_day": str(date_of(known.day.min())), "last_day": str(date_of(last))}
    told = {"recent_days": list(trend.RECENT_DAYS), "window": window, "counts": counts}
    told["fold_in"] = {
        "alpha": fitted.alpha,
        "penalty": factors.penalty,
        "penalty_per_product": factors.penalty_per_product,
    }
    return Bundle(
        customers=known.customers,
        products=known.products,
        **{
            name: texts([text or "" for text in products[name].to_pylist()])
            for name in (c.NAME, c.CATEGORY, c.BRAND)
        },
        price=products[c.PRICE].to_numpy(),
        in_stock=in_stock,
        weight=weights(products),
        hidden=hidden(products),
        popularity=buyers,
        trend=trends,
        new=newcomers.among(np.zeros(len(buyers), bool), new.rows, True),
        recent=trend.recent(known, last),
        groups=within.names,
        group_start=within.start,
        group_product=within.product,
        group_trend=within.trend,
        history_start=history.start,
        history_product=history.product,
        history_orders=history.orders,
        history_last=history.last,
        history_strength=history.strength,
        history_weight=known.matrix(known.orders * known.decay(fitted.half_life_days)).data * fitted.alpha,
        user_factors=factors.users,
        item_factors=newcomers.among(factors.items, new.rows, new.factors),
        content_factors=vectors,
        boost=newcomers.among(lately, new.rows, new.trend) ** np.float32(trend_power),
        **looked_at,
        ranker=trees.none(),
        **vars(rules),
        manifest=told | manifest,
    )
