"""Fits all components on the interactions known at a cut and puts them into a bundle."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.choices import Solver
from pipelines.prepare.interactions import Interactions, date_of
from pipelines.train import als, content, fits, new_products, ranker, regions, repurchase, trend
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
    content_vectors: Array | None = None,
    customer_regions: pa.Table = regions.NO_REGIONS,
) -> Bundle:
    """Returns the bundle fitted on the interactions known at a cut, and on nothing else.

    products: the table `products`, sorted like the interactions' product ids. manifest: further entries.
    content_vectors: (P, d) float32, computed from the descriptions if None. customer_regions: the table
    `groups`; without it the bundle has no regions.
    """
    settings = chosen.model_dump(exclude={"lanes", "strength"})
    entries = {"lanes": chosen.lanes, "strength": chosen.strength, "settings": settings} | (manifest or {})
    vectors = _content_vectors(known, products) if content_vectors is None else content_vectors
    model = trees.no_model()
    if chosen.ranker is not None:  # first, since a window's bundle and the last one are large
        cuts = ranker.cuts(known, chosen.ranker)
        windows = [_window(known, cut, products, chosen, chosen.ranker, solver) for cut in cuts]
        model = ranker.fit(windows, chosen.ranker)
    bundle = fit_without_ranker(known, products, chosen, rules, solver, entries, vectors, customer_regions)
    return replace(bundle, ranker=model)


def fit_without_ranker(
    known: Interactions,
    products: pa.Table,
    chosen: ModelSettings,
    rules: AssociationRules,
    solver: Solver,
    manifest: dict[str, Any],
    content_vectors: Array | None = None,
    customer_regions: pa.Table = regions.NO_REGIONS,
) -> Bundle:
    """Returns the bundle of `fit_bundle` without the ranker, but with the arrays that features come from.

    content_vectors: (P, d) float32; None means that no product has a description.
    """
    return build(
        known,
        products,
        _fit_factors(known, chosen.als, solver),
        rules,
        chosen.half_lives,
        manifest,
        content_vectors=content_vectors,
        customer_regions=customer_regions,
        ranked=chosen.ranker is not None,
    )


def _content_vectors(known: Interactions, products: pa.Table) -> Array:
    """Returns the products' content vectors, which are the same whatever day the interactions end."""
    return fits.kept(
        known.tables_digest, "content vectors", {}, lambda: {"vectors": content.vectors(products)}
    )["vectors"]


def _fit_factors(known: Interactions, chosen: als.AlsSettings, solver: Solver) -> als.Factors:
    def fitted() -> dict[str, Array]:
        strengths = known.matrix(known.orders * known.decay(chosen.half_life_days))
        return als.fit(strengths, chosen, solver).arrays()

    return als.Factors.from_arrays(
        fits.kept(known.digest, "factors", _of_factors(chosen, solver), fitted), chosen
    )


def _of_factors(chosen: als.AlsSettings, solver: Solver) -> dict[str, Any]:
    """Returns the settings on which factors depend; the trend's power multiplies their scores."""
    return chosen.model_dump(exclude={"trend_power"}) | {"solver": solver}


def fit_candidate(known: Interactions, products: pa.Table, candidate: Candidate, solver: Solver) -> Bundle:
    """Returns the bundle of one candidate of the sweep; only ALS and the ranker need factors.

    It has no content vectors: products without a buyer make no difference between candidates.
    """
    days = candidate.half_life_days or 1.0
    half_lives = HalfLives(trend=days, repurchase=days)
    rules = no_rules(len(known.products))
    if candidate.als:
        chosen = ModelSettings(als=candidate.als, ranker=candidate.ranker, half_lives=half_lives, lanes={})
        return fit_bundle(
            known,
            products,
            chosen,
            rules,
            solver,
            content_vectors=content.no_descriptions(len(known.products)),
        )
    factors = als.zero_factors(len(known.customers), len(known.products))
    return build(known, products, factors, rules, half_lives, {"lanes": {}})


def _window(
    known: Interactions,
    cut: tuple[int, int],
    products: pa.Table,
    chosen: ModelSettings,
    settings: RankerSettings,
    solver: Solver,
) -> ranker.Examples:
    """Returns the ranker's training examples of one window; cut: (last day known, last day of the window)."""
    last_known, end = cut

    def computed() -> dict[str, Array]:
        before, rules = known.until(last_known), no_rules(len(known.products))
        earlier = fit_without_ranker(before, products, chosen, rules, solver, {"lanes": {}})
        truth = known.until(end).bought(last_known, end)
        return vars(ranker.examples(earlier, truth, settings))

    given = _of_factors(chosen.als, solver) | settings.sampling() | {"end": end}
    digest = known.digest_until(last_known)
    return ranker.Examples(**fits.kept(digest, "examples of the ranker", given, computed))


def reopen(bundle: Bundle) -> Bundle:
    """Returns the bundle as read back from its files, so that what is measured is what serves."""
    with tempfile.TemporaryDirectory() as folder:
        # Deleted files stay readable while they are mapped.
        return load(save(bundle, Path(folder) / "bundle"))


def fit_without_rules(
    known: Interactions, products: pa.Table, chosen: ModelSettings, solver: Solver
) -> Bundle:
    """Returns the bundle fitted with the given settings, read back from its files.

    It has no association rules: they answer no lane, so no measure depends on them.
    """
    return reopen(fit_bundle(known, products, chosen, no_rules(products.num_rows), solver))


def product_weights(products: pa.Table) -> Array:
    """Returns the products' weights, (P,) float32: 1 where the shop gives no number above zero."""
    if c.WEIGHT not in products.schema.names:  # a table of an earlier release
        return np.ones(products.num_rows, np.float32)
    with np.errstate(over="ignore"):
        weights = products[c.WEIGHT].to_numpy().astype(np.float32)
    return np.where((weights > 0) & np.isfinite(weights), weights, np.float32(1))


def hidden(products: pa.Table) -> Array:
    """Returns whether each product is excluded by exclude.toml, (P,) bool."""
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
    content_vectors: Array | None = None,
    customer_regions: pa.Table = regions.NO_REGIONS,
    ranked: bool = False,
) -> Bundle:
    """Returns a bundle from fitted factors and rules; all other arrays are computed here.

    products: the table `products`, sorted like the interactions' product ids. content_vectors: (P, d)
    float32; None means that no product has a description. customer_regions: the table `groups`. ranked:
    whether the bundle holds the arrays that the ranker's features are computed from.
    """
    history, size = repurchase.history(known, half_lives.repurchase), len(known.products)
    vectors = content.no_descriptions(size) if content_vectors is None else content_vectors
    by_region = regions.trends(known, customer_regions, half_lives.trend)
    bundle = Bundle(
        customers=known.customers,
        products=known.products,
        **_catalogue(products),
        popularity=trend.popularity(known),
        trend=trend.trend(known, half_lives.trend),
        recent=trend.recent(known, int(known.day.max())),
        groups=by_region.names,
        group_start=by_region.start,
        group_product=by_region.product,
        group_trend=by_region.trend,
        **_purchases(known, history, factors.settings),
        **_factors(known, products, factors, vectors),
        **(
            ranker.inputs(known, history) if ranked else ranker.no_inputs(len(known.customers), size, history)
        ),
        ranker=trees.no_model(),
        **vars(rules),
        manifest={},
    )
    return replace(bundle, manifest=_manifest(bundle, known, factors) | manifest)


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
    arrays = {f"history_{name}": array for name, array in vars(history).items()}
    return arrays | {"history_weight": confidence}


def _factors(
    known: Interactions, products: pa.Table, factors: als.Factors, vectors: Array
) -> dict[str, Array]:
    """Returns factors and boost; for products without a buyer they are estimated from similar products."""
    buyers, recent = trend.popularity(known), trend.trend(known, trend.BOOST_HALF_LIFE)
    new = new_products.estimate(vectors, products[c.IN_STOCK].to_numpy(), buyers, factors.items, recent)
    boost = new_products.fill_rows(recent, new.rows, new.trend) ** np.float32(factors.settings.trend_power)
    return {
        "user_factors": factors.users,
        "item_factors": new_products.fill_rows(factors.items, new.rows, new.factors),
        "content_factors": vectors,
        "new": new_products.fill_rows(np.zeros(len(buyers), bool), new.rows, True),
        "boost": boost,
    }


def _manifest(bundle: Bundle, known: Interactions, factors: als.Factors) -> dict[str, Any]:
    """Returns the manifest entries that every bundle has."""
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
