"""What re-ranking costs and brings on Online Retail II: weights, caps by category, less of what was shown."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.prepare import interactions

SEED, SPREAD, BANDS = 6, 0.5, 10
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
CAPS = (5, 3, 2, 1)
LANES = ("for-you", "discover")


def compare(home: Path) -> str:
    """Three tables over the lake that a night has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    bundle, truth = _learned()
    rng = np.random.default_rng(SEED)
    weight = rng.lognormal(0, SPREAD, len(bundle.products)).astype(np.float32)
    bundle = replace(bundle, weight=weight)
    return (
        "## Re-ranking on Online Retail II\n\n"
        "The last but one 28 days, foretold from what came before; re-purchase answers for-you, ALS\n"
        "discover. The data set has no weights and no categories. Weights are drawn: log-normal, sigma\n"
        f"{SPREAD}, median 1, seed {SEED}. Categories are the first words of the names,\n"
        f"or {BANDS} bands of price.\n\n"
        f"{_weights(bundle, truth)}\n{_caps(bundle, truth)}\n{_shown(bundle, truth)}"
    )


def _learned():
    from pipelines.evaluate import settings
    from pipelines.lake import tables
    from pipelines.train.als import AlsSettings
    from pipelines.train.association_rules import no_rules
    from pipelines.train.bundle import fit_bundle
    from pipelines.train.recipe import HalfLives, ModelSettings

    chosen = ModelSettings(
        als=AlsSettings(rank=64, regularisation=10.0, alpha=10.0, half_life_days=60.0),
        half_lives=HalfLives(trend=28.0, repurchase=120.0),
        lanes={"for-you": "repurchase", "buy-again": "repurchase", "discover": "als"},
    )
    products = tables.read(tables.PRODUCTS)
    known = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    last, horizon = int(known.day.max()), settings.load().horizon_days
    before, truth = known.until(last - 2 * horizon), known.bought(last - 2 * horizon, last - horizon)
    return fit_bundle(before, products, chosen, no_rules(products.num_rows), "implicit"), truth


def _weights(bundle, truth) -> str:
    from pipelines import evaluate
    from pipelines.gate import product_weight
    from pipelines.gate import settings as gate_settings

    bounds = gate_settings.load().product_weight
    tried = product_weight.measure_strengths(
        bundle, truth, bounds.model_copy(update={"strengths": STRENGTHS[1:]})
    )
    rows = [
        f"| {strength:g} | {_cells(lanes, evaluate.NDCG)} | {_cells(lanes, evaluate.WEIGHT)} |"
        for strength, lanes in tried.items()
    ]
    return _table("strength", "mean weight@10", rows) + (
        f"\nThe largest that costs no lane more than {bounds.most_lost:.0%}: "
        f"**{product_weight.strongest(tried, bounds):g}**.\n"
    )


def _caps(bundle, truth) -> str:
    from pipelines import evaluate
    from serving.bundle.format import texts
    from serving.bundle.highest import top_n
    from serving.recommend.rerank import cap_categories

    words = [name.decode().partition(" ")[0] for name in bundle.name]
    band = np.searchsorted(np.nanquantile(bundle.price, np.arange(1, BANDS) / BANDS), bundle.price)
    rows = []
    for kind, category in (("first word", texts(words)), ("price band", band.astype("S2"))):
        filed = replace(bundle, category=category)
        for most in (None, *CAPS):

            def answers(values, most=most, filed=filed):
                order = top_n(values, len(values))
                order = order if most is None else cap_categories(order, filed.categories.codes, most)
                return _as_scores(order, len(values))

            lanes, milliseconds = _measured(filed, truth, answers)
            cells = f"{_cells(lanes, evaluate.NDCG)} | {_cells(lanes, evaluate.DIVERSITY)}"
            rows.append(f"| {kind}, {most or 'any'} | {cells} | {milliseconds:.2f} |")
    return _table("category, at most", "diversity", rows, "ms an answer")


def _shown(bundle, truth) -> str:
    from pipelines import evaluate
    from serving.bundle.highest import top_n
    from serving.recommend.rerank import POOL, penalise_shown

    kept = []

    def again(values):
        first = top_n(values, 10)
        found = penalise_shown(values, top_n(values, POOL), tuple(first.tolist()))
        kept.append(len(np.intersect1d(first, top_n(found, 10))))
        return found

    before, _ = _measured(bundle, truth, lambda values: values)
    after, milliseconds = _measured(bundle, truth, again)
    return (
        "Asked again with the ten that were shown: "
        f"{np.mean(kept):.1f} of them come again, NDCG@10 for-you {before['for-you'][evaluate.NDCG]:.4f} ->"
        f" {after['for-you'][evaluate.NDCG]:.4f}, discover {before['discover'][evaluate.NDCG]:.4f} ->"
        f" {after['discover'][evaluate.NDCG]:.4f}; {milliseconds:.2f} ms an answer.\n"
    )


def _measured(bundle, truth, change: Callable):
    """What is measured by lane where every customer's scores are changed, and the time that takes for one."""
    from pipelines import evaluate
    from pipelines.evaluate import per_customer
    from serving.recommend.recommender import restrict_to_lane

    seconds, asked = 0.0, 0

    def changed(*arguments, **options):
        nonlocal seconds, asked
        values = restrict_to_lane(*arguments, **options)
        started = time.perf_counter()
        found = np.array([change(row) for row in values]).reshape(values.shape)
        seconds, asked = seconds + time.perf_counter() - started, asked + len(values)
        return found

    per_customer.restrict_to_lane = changed
    try:
        measured = evaluate.summary(evaluate.evaluate(bundle, truth, "changed"))["changed"]
    finally:
        per_customer.restrict_to_lane = restrict_to_lane
    return measured, seconds / asked * 1000


def _as_scores(order, count):
    values = np.full(count, -np.inf)
    values[order] = -np.arange(len(order))
    return values


def _cells(lanes, metric: str) -> str:
    return " | ".join(f"{lanes[lane][metric]:.4f}" for lane in LANES)


def _table(what: str, beside: str, rows: list[str], *more: str) -> str:
    headings = [f"{metric} {lane}" for metric in ("NDCG@10", beside) for lane in LANES]
    columns = [what, *headings, *more]
    return "\n".join([f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *rows]) + "\n"
