"""Item cold start on Online Retail II: how often new products are recommended to their later buyers."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.evaluate import cold
from pipelines.evaluate.cold import HitRates
from pipelines.prepare import interactions
from pipelines.prepare.interactions import Interactions
from pipelines.train import recipe
from serving.bundle.format import Array, Bundle

SHARE, DRAWS = 0.1, 5
REQUIRED = 5  # times the hit rate of random lists


def compare(home: Path) -> str:
    """Returns a table of hit rates on the lake that a nightly run has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    from pipelines.evaluate import settings
    from pipelines.lake import tables
    from pipelines.train import content
    from pipelines.train.als import AlsSettings
    from pipelines.train.association_rules import no_rules
    from pipelines.train.bundle import fit_bundle

    products = tables.read(tables.PRODUCTS)
    known = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    horizon = settings.load().horizon_days
    cut = int(known.day.max()) - horizon
    before, truth = known.until(cut), known.bought(cut, cut + horizon)
    chosen = recipe.ModelSettings(
        als=AlsSettings(trend_power=0.5), half_lives=recipe.HalfLives(trend=28, repurchase=60), lanes={}
    )
    fit = partial(
        fit_bundle,
        products=products,
        chosen=chosen,
        rules=no_rules(products.num_rows),
        solver="implicit",
        content_vectors=content.vectors(products),
    )
    truths = truth, cold.first_purchases(truth, before)
    samples = []
    for seed in range(DRAWS):
        hidden = cold.draw_products(truth, SHARE, seed)
        bundle = fit(cold.without_products(known, hidden).until(cut))
        samples.append(_hit_rates(bundle, truths, hidden))
    means = {
        method: [cold.mean([sample[method][i] for sample in samples]) for i in range(len(truths))]
        for method in samples[0]
    }
    return _table(means, len(hidden))


def _hit_rates(bundle: Bundle, truths: tuple[Interactions, ...], hidden: Array) -> dict[str, list[HitRates]]:
    """Returns the hit rates of each method on hidden products, (h,) rows, for each set of purchases."""
    without_content = replace(bundle, new=np.zeros_like(bundle.new))
    methods = {
        "ALS, new products by their description": (bundle, None),
        "trend of products with a similar description, the same list for everyone": (bundle, bundle.boost),
        "popularity within the category; without categories, all equal": (
            bundle,
            cold.popularity_within_category(bundle),
        ),
        "plain ALS": (without_content, None),
    }
    return {
        method: [cold.hit_rates(model, truth, hidden, baseline) for truth in truths]
        for method, (model, baseline) in methods.items()
    }


def _table(methods: Mapping[str, list[HitRates]], hidden: int) -> str:
    """Returns the section; methods: hit rates of all purchases and of first purchases. hidden: products."""
    of_all, of_first = next(iter(methods.values()))
    rows = "".join(
        f"| {method} | {_cell(every.among_hidden, every.chance_among_hidden)}"
        f" | {_cell(every.among_all, every.chance_among_all)} | {every.shown:.1%}"
        f" | {_cell(first.among_hidden, first.chance_among_hidden)} |\n"
        for method, (every, first) in methods.items()
    )
    return (
        "## Products without a sale, Online Retail II\n\n"
        f"{SHARE:.0%} of the products that sold in the test window ({hidden}, {DRAWS} seeded draws) are\n"
        "hidden from training, except for their name and price. Measured are purchases of these products\n"
        f"by known customers: {of_all.purchases:,.0f} per draw, of which {of_first.purchases:,.0f} are the\n"
        "customer's first purchase of the product. A hit is a purchase whose product was among the first\n"
        "ten recommendations; the number in parentheses divides the hit rate by that of random lists.\n"
        f"Required in lists of hidden products: {REQUIRED} times the random rate, and more than the\n"
        "baselines.\n\n"
        "| method | hits, lists of hidden products | hits, lists of all products not bought before"
        " | hidden products in these lists | first purchases: hits, lists of hidden products |\n"
        f"|---|---|---|---|---|\n{rows}"
    )


def _cell(share: float, chance: float) -> str:
    return f"{share:.2%} ({share / chance:.1f}x)"
