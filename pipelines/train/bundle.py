"""The bundle of what was learned until one day."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.choices import Solver
from pipelines.prepare.interactions import Interactions, date_of
from pipelines.train import als, content, new_products, ranker, regions, repurchase, trend
from pipelines.train.association_rules import AssociationRules, no_rules
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import Candidate, HalfLives, ModelSettings
from serving.bundle import trees
from serving.bundle.files import load, save
from serving.bundle.format import Array, Bundle, texts


def fit_bundle(
    known: Interactions,
    products: pa.Table,
    chosen: ModelSettings,
    rules: AssociationRules,
    solver: Solver,
    manifest: dict[str, Any] | None = None,
    described: Array | None = None,
    grouped: pa.Table = regions.NO_REGIONS,
) -> Bundle:
    """The bundle of the interactions known at a cut, with factors and ranker fitted to them alone.

    described: (P, d) content vectors of the products; made from their descriptions where None.
    grouped: the table `groups`; without it the bundle has none, and strangers get the overall trend.
    """
    settings = chosen.model_dump(exclude={"lanes", "strength"})
    told = {"lanes": chosen.lanes, "strength": chosen.strength, "settings": settings} | (manifest or {})
    vectors = content.vectors(products) if described is None else described
    bundle = fit_without_ranker(known, products, chosen, rules, solver, told, vectors, grouped)
    if chosen.ranker is None:
        return bundle
    windows = [
        _window(known, cut, products, chosen, chosen.ranker, solver)
        for cut in ranker.cuts(known, chosen.ranker)
    ]
    return replace(bundle, ranker=ranker.fit(windows, chosen.ranker))


def fit_without_ranker(
    known: Interactions,
    products: pa.Table,
    chosen: ModelSettings,
    rules: AssociationRules,
    solver: Solver,
    manifest: dict[str, Any],
    described: Array | None = None,
    grouped: pa.Table = regions.NO_REGIONS,
) -> Bundle:
    """The same without the ranker, but with all that it looks at."""
    strengths = known.matrix(known.orders * known.decay(chosen.als.half_life_days))
    factors = als.fit(strengths, chosen.als, solver)
    return build(
        known,
        products,
        factors,
        rules,
        chosen.half_lives,
        manifest,
        described=described,
        grouped=grouped,
        ranked=chosen.ranker is not None,
    )


def fit_candidate(known: Interactions, products: pa.Table, candidate: Candidate, solver: Solver) -> Bundle:
    """The bundle of one candidate of the sweep; only ALS and the ranker need factors.

    It knows no descriptions: what nobody has bought yet decides nothing between candidates.
    """
    days = candidate.half_life_days or 1.0
    half_lives = HalfLives(trend=days, repurchase=days)
    silent = no_rules(len(known.products))
    if candidate.als:
        chosen = ModelSettings(als=candidate.als, ranker=candidate.ranker, half_lives=half_lives, lanes={})
        return fit_bundle(
            known, products, chosen, silent, solver, described=content.no_descriptions(len(known.products))
        )
    factors = als.zero_factors(len(known.customers), len(known.products))
    return build(known, products, factors, silent, half_lives, {"lanes": {}})


def _window(
    known: Interactions,
    cut: tuple[int, int],
    products: pa.Table,
    chosen: ModelSettings,
    settings: RankerSettings,
    solver: Solver,
) -> ranker.Examples:
    """What a bundle of an earlier cut was to answer in the window after it."""
    day, end = cut
    silent = no_rules(len(known.products))
    earlier = fit_without_ranker(ranker.known_at(known, day), products, chosen, silent, solver, {"lanes": {}})
    return ranker.examples(earlier, known.bought(day, end), settings)


def reopen(bundle: Bundle) -> Bundle:
    """The bundle as it comes back from its files, which are gone once it is let go."""
    with tempfile.TemporaryDirectory() as folder:
        return load(save(bundle, Path(folder) / "bundle"))  # mapped files live on until unmapped


def fit_without_rules(
    known: Interactions, products: pa.Table, chosen: ModelSettings, solver: Solver
) -> Bundle:
    """Returns the bundle of settings fitted to what was known, opened from its files.

    It has no association rules, since no lane is answered by them.
    """
    return reopen(fit_bundle(known, products, chosen, no_rules(products.num_rows), solver))


def product_weights(products: pa.Table) -> Array:
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
    rules: AssociationRules,
    half_lives: HalfLives,
    manifest: dict[str, Any],
    *,
    described: Array | None = None,
    grouped: pa.Table = regions.NO_REGIONS,
    ranked: bool = False,
) -> Bundle:
    """The bundle of the interactions known at a cut; what a ranker looks at is in it, where `ranked`.

    products: the table `products`, sorted as the interactions' product ids. described: (P, d) their
    content vectors; none has a description where None. grouped: the table `groups`.
    """
    history, size = repurchase.history(known, half_lives.repurchase), len(known.products)
    vectors = content.no_descriptions(size) if described is None else described
    within = regions.trends(known, grouped, half_lives.trend)
    bundle = Bundle(
        customers=known.customers,
        products=known.products,
        **_catalogue(products),
        popularity=trend.popularity(known),
        trend=trend.trend(known, half_lives.trend),
        recent=trend.recent(known, int(known.day.max())),
        groups=within.names,
        group_start=within.start,
        group_product=within.product,
        group_trend=within.trend,
        **_purchases(known, history, factors.settings),
        **_factors(known, products, factors, vectors),
        **(
            ranker.inputs(known, history) if ranked else ranker.no_inputs(len(known.customers), size, history)
        ),
        ranker=trees.no_model(),
        **vars(rules),
        manifest={},
    )
    return replace(bundle, manifest=_told(bundle, known, factors) | manifest)


def _catalogue(products: pa.Table) -> dict[str, Array]:
    names = {
        name: texts([text or "" for text in products[name].to_pylist()])
        for name in (c.NAME, c.CATEGORY, c.BRAND)
    }
    return names | {
        "price": products[c.PRICE].to_numpy(),
        "in_stock": products[c.IN_STOCK].to_numpy(),
        "weight": product_weights(products),
        "hidden": hidden(products),
    }


def _purchases(known: Interactions, history: repurchase.History, fitted: als.AlsSettings) -> dict[str, Array]:
    confidence = known.matrix(known.orders * known.decay(fitted.half_life_days)).data * fitted.alpha
    own = {f"history_{name}": array for name, array in vars(history).items()}
    return own | {"history_weight": confidence}


def _factors(
    known: Interactions, products: pa.Table, factors: als.Factors, vectors: Array
) -> dict[str, Array]:
    """The factors, those of products without a sale as their descriptions let expect."""
    buyers, lately = trend.popularity(known), trend.trend(known, trend.BOOST_HALF_LIFE)
    new = new_products.estimate(vectors, products[c.IN_STOCK].to_numpy(), buyers, factors.items, lately)
    boost = new_products.fill_rows(lately, new.rows, new.trend) ** np.float32(factors.settings.trend_power)
    return {
        "user_factors": factors.users,
        "item_factors": new_products.fill_rows(factors.items, new.rows, new.factors),
        "content_factors": vectors,
        "new": new_products.fill_rows(np.zeros(len(buyers), bool), new.rows, True),
        "boost": boost,
    }


def _told(bundle: Bundle, known: Interactions, factors: als.Factors) -> dict[str, Any]:
    """What a manifest says of a bundle, whatever it was made for."""
    counts = {
        "customers": len(bundle.customers),
        "products": len(bundle.products),
        "interactions": len(known.day),
        "rules": len(bundle.rule_consequent) + len(bundle.triple_consequent),
        "new_products": int(bundle.new.sum()),
        "groups": len(bundle.groups),
    }
    days = {"first_day": known.day.min(), "last_day": known.day.max()}
    return {
        "recent_days": list(trend.RECENT_DAYS),
        "window": {name: str(date_of(day)) for name, day in days.items()},
        "counts": counts,
        "fold_in": {
            "alpha": factors.settings.alpha,
            "penalty": factors.penalty,
            "penalty_per_product": factors.penalty_per_product,
        },
    }
