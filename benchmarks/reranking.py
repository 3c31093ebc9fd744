"""Cost and effect of re-ranking on Online Retail II: product weights, caps per category, shown products."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from pipelines.prepare import interactions
from pipelines.prepare.interactions import Interactions
from pipelines.sweep.choice import Metrics
from serving.bundle.format import Array, Bundle
from serving.recommend.lanes import Lane

SEED, SIGMA, BANDS = 6, 0.5, 10
STRENGTHS = (0.05, 0.1, 0.2, 0.5, 1.0)
CAPS = (5, 3, 2, 1)
LANES = ("for-you", "discover")


def compare(home: Path) -> str:
    """Returns three tables on the lake that a nightly run has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    bundle, truth = _bundle_and_truth()
    rng = np.random.default_rng(SEED)
    weight = rng.lognormal(0, SIGMA, len(bundle.products)).astype(np.float32)
    bundle = replace(bundle, weight=weight)
    return (
        "## Re-ranking on Online Retail II\n\n"
        "The test window is the 28 days before the last 28. Re-purchase answers for-you, and ALS answers\n"
        "discover. The data set has neither weights nor categories. Weights are random: log-normal, sigma\n"
        f"{SIGMA}, median 1, seed {SEED}. Categories are the first word of the product's name,\n"
        f"or {BANDS} price bands.\n\n"
        f"{_weights(bundle, truth)}\n{_caps(bundle, truth)}\n{_shown(bundle, truth)}"
    )


def _bundle_and_truth() -> tuple[Bundle, Interactions]:
    """Returns a bundle fitted on everything before the last two windows, and the purchases of the first."""
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


def _weights(bundle: Bundle, truth: Interactions) -> str:
    from pipelines import evaluate
    from pipelines.gate import product_weight
    from pipelines.gate import settings as gate_settings

    limits = gate_settings.load().product_weight.model_copy(update={"strengths": STRENGTHS})
    trials = product_weight.measure_strengths(bundle, truth, limits)
    rows = [
        f"| {strength:g} | {_cells(lanes, evaluate.NDCG)} | {_cells(lanes, evaluate.WEIGHT)} |"
        for strength, lanes in trials.items()
    ]
    return _table("strength", "mean weight@10", rows) + (
        f"\nThe largest strength that costs no lane more than {limits.most_lost:.0%}: "
        f"**{product_weight.strongest(trials, limits):g}**.\n"
    )


def _caps(bundle: Bundle, truth: Interactions) -> str:
    from serving.bundle.format import texts

    words = [name.decode().partition(" ")[0] for name in bundle.name]
    band = np.searchsorted(np.nanquantile(bundle.price, np.arange(1, BANDS) / BANDS), bundle.price)
    rows = [
        _cap_row(kind, replace(bundle, category=category), truth, most)
        for kind, category in (("first word", texts(words)), ("price band", band.astype("S2")))
        for most in (None, *CAPS)
    ]
    return _table("category, at most", "diversity", rows, "ms per answer")


def _cap_row(kind: str, bundle: Bundle, truth: Interactions, most: int | None) -> str:
    """Returns the row of lists with at most `most` products of a category; None sets no limit."""
    from pipelines import evaluate
    from serving.bundle.highest import top_n
    from serving.recommend.rerank import cap_categories

    def capped(values: Array) -> Array:
        order = top_n(values, len(values))
        order = order if most is None else cap_categories(order, bundle.categories.codes, most)
        return _as_scores(order, len(values))

    lanes, milliseconds = _measure(bundle, truth, capped)
    cells = f"{_cells(lanes, evaluate.NDCG)} | {_cells(lanes, evaluate.DIVERSITY)}"
    return f"| {kind}, {most or 'any'} | {cells} | {milliseconds:.2f} |"


def _shown(bundle: Bundle, truth: Interactions) -> str:
    from pipelines import evaluate
    from serving.bundle.highest import top_n
    from serving.recommend.rerank import POOL, penalise_shown

    repeated = []

    def second(values: Array) -> Array:
        first = top_n(values, 10)
        penalised = penalise_shown(values, top_n(values, POOL), tuple(first.tolist()))
        repeated.append(len(np.intersect1d(first, top_n(penalised, 10))))
        return penalised

    before, _ = _measure(bundle, truth, lambda values: values)
    after, milliseconds = _measure(bundle, truth, second)
    changes = (
        f"{lane} {before[lane][evaluate.NDCG]:.4f} -> {after[lane][evaluate.NDCG]:.4f}" for lane in LANES
    )
    return (
        "A second request that names the ten products shown by the first: "
        f"{np.mean(repeated):.1f} of them are returned again; NDCG@10 {', '.join(changes)};"
        f" {milliseconds:.2f} ms per answer.\n"
    )


def _measure(bundle: Bundle, truth: Interactions, rerank: Callable[[Array], Array]) -> tuple[Metrics, float]:
    """Returns the metrics by lane with re-ranked scores, and the milliseconds per customer and lane.

    rerank: takes and returns a customer's scores in a lane, (P,).
    """
    from pipelines import evaluate
    from pipelines.evaluate import per_customer
    from serving.recommend.recommender import restrict_to_lane

    seconds, answers = 0.0, 0

    def reranked(bundle: Bundle, customers: Array, lane: Lane, values: Array, as_scored: bool) -> Array:
        nonlocal seconds, answers
        values = restrict_to_lane(bundle, customers, lane, values, as_scored)
        started = time.perf_counter()
        changed = np.array([rerank(row) for row in values]).reshape(values.shape)
        seconds, answers = seconds + time.perf_counter() - started, answers + len(values)
        return changed

    with patch.object(per_customer, "restrict_to_lane", reranked):
        metrics = evaluate.summary(evaluate.evaluate(bundle, truth, "reranked"))["reranked"]
    return metrics, seconds / answers * 1000


def _as_scores(order: Array, count: int) -> Array:
    """Returns scores that rank products in a given order, (count,) float64; -inf for all others."""
    values = np.full(count, -np.inf)
    values[order] = -np.arange(len(order))
    return values


def _cells(lanes: Metrics, metric: str) -> str:
    return " | ".join(f"{lanes[lane][metric]:.4f}" for lane in LANES)


def _table(first: str, metric: str, rows: list[str], *more: str) -> str:
    """Returns a table with NDCG@10 and a metric by lane, between the first and more columns."""
    headings = [f"{name} {lane}" for name in ("NDCG@10", metric) for lane in LANES]
    columns = [first, *headings, *more]
    return "\n".join([f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *rows]) + "\n"
