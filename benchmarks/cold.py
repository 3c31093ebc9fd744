"""Products without a sale on Online Retail II: how often who buys them finds them by their description."""

import os
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
ASKED = 5  # times as often as by chance


def compare(home: Path) -> str:
    """A table over the lake that a night has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    from pipelines.evaluate import settings
    from pipelines.lake import tables
    from pipelines.train import content
    from pipelines.train.als import AlsSettings
    from pipelines.train.association_rules import no_rules
    from pipelines.train.bundle import fit_bundle

    products = tables.read(tables.PRODUCTS)
    shop = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    horizon = settings.load().horizon_days
    cut = int(shop.day.max()) - horizon
    before, truth = shop.until(cut), shop.bought(cut, cut + horizon)
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
    first = cold.first_purchases(truth, before)
    found = []
    for seed in range(DRAWS):
        hidden = cold.draw_products(truth, SHARE, seed)
        bundle = fit(cold.without_products(shop, hidden).until(cut))
        found.append(_found(bundle, (truth, first), hidden))
    return _table(
        {way: [cold.mean([one[way][n] for one in found]) for n in range(2)] for way in found[0]}, len(hidden)
    )


def _found(bundle: Bundle, asked: tuple[Interactions, ...], hidden: Array) -> dict[str, list[HitRates]]:
    """What each way finds of the hidden products in each set of purchases that is asked for."""
    plain = replace(bundle, new=np.zeros_like(bundle.new))
    ways = {
        "ALS, new products by their description": (bundle, None),
        "trend of what is described alike, the same for everyone": (bundle, bundle.boost),
        "popularity within category; no categories here, all equal": (
            bundle,
            cold.popularity_within_category(bundle),
        ),
        "plain ALS": (plain, None),
    }
    return {
        way: [cold.hit_rates(one, truth, hidden, baseline) for truth in asked]
        for way, (one, baseline) in ways.items()
    }


def _table(ways: dict, hidden: int) -> str:
    every, first = next(iter(ways.values()))
    rows = "".join(
        f"| {way} | {_cell(m.among_hidden, m.chance_among_hidden)} | {_cell(m.among_all, m.chance_among_all)}"
        f" | {m.shown:.1%} | {_cell(f.among_hidden, f.chance_among_hidden)} |\n"
        for way, (m, f) in ways.items()
    )
    return (
        "## Products without a sale, Online Retail II\n\n"
        f"{SHARE:.0%} of the products that sold in the test window ({hidden}, {DRAWS} seeded draws) are\n"
        "hidden from training: all that is known of them is their name and price. Judged are known\n"
        f"customers' purchases of them, {every.purchases:,.0f} a draw,\n"
        f"{first.purchases:,.0f} of them the customer's first. "
        "Found is what stood among the first ten, and how many times as often as by chance.\n"
        f"Asked: {ASKED} times among the hidden, and more than the baselines.\n\n"
        "| way | found among the hidden | among all never bought | hidden in the first ten"
        " | first purchases alone, among the hidden |\n"
        f"|---|---|---|---|---|\n{rows}"
    )


def _cell(share: float, chance: float) -> str:
    return f"{share:.2%} ({share / chance:.1f}x)"
