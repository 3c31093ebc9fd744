"""Compares the champion's settings with baselines and published models, on the data in the lake."""

import pyarrow as pa

from pipelines import columns as c
from pipelines import evaluate as evaluation
from pipelines.choices import Solver, Split
from pipelines.compare import splits, yardsticks
from pipelines.evaluate import differences, windows
from pipelines.evaluate import settings as evaluation_settings
from pipelines.gate import conditions
from pipelines.lake import tables
from pipelines.prepare import interactions
from pipelines.prepare.interactions import Interactions
from pipelines.registry import versions
from pipelines.settings import settings
from pipelines.train.bundle import fit_without_rules
from pipelines.train.recipe import ModelSettings
from serving.bundle.format import Array
from serving.errors import NightshelfError
from serving.recommend.recommender import BASELINES, Scorer, learned_components

HELD_OUT = 0.2  # share of the purchases of a random split
SEED = 3


def compare(how: Split) -> pa.Table:
    """Returns the measures of the champion's settings, baselines and published models on a split.

    Only the split `time` is realistic. The others train on purchases that came later and are for comparisons
    with papers that did so. Raises NightshelfError if no version was promoted yet.
    """
    champion = versions.champion()
    if champion is None:
        raise NightshelfError(
            "no model serves yet, so there are no settings to measure: run `nightshelf retrain` first"
        )
    products = tables.read(tables.PRODUCTS)
    rows = tables.read_path(tables.current_path(tables.INTERACTIONS), coded=interactions.IDS)
    known = interactions.interactions(rows, products[c.PRODUCT].to_pylist())
    before, truth = _parts(known, how)
    return evaluate_models(before, truth, products, champion.chosen, settings().solver)


def evaluate_models(
    before: Interactions, truth: Interactions, products: pa.Table, chosen: ModelSettings, solver: Solver
) -> pa.Table:
    """Returns the measures of a model fitted with `chosen`, as `champion`, and of each yardstick."""
    bundle = fit_without_rules(before, products, chosen, solver)
    segments = evaluation.customer_segments(before)
    scorers: dict[str, str | Scorer] = {name: name for name in (*BASELINES, *learned_components(bundle))}
    scorers[yardsticks.LATELY] = yardsticks.popularity_lately
    if products.num_rows <= yardsticks.MOST_PRODUCTS:
        scorers[yardsticks.EASE] = yardsticks.ease(bundle)
    measures = [
        evaluation.evaluate(bundle, truth, name, scorer, segments) for name, scorer in scorers.items()
    ]
    as_scored = conditions.UNWEIGHTED if chosen.strength else conditions.CHAMPION
    measures.append(differences.compose(pa.concat_tables(measures), chosen.lanes, as_scored))
    if chosen.strength:
        measures.append(evaluation.evaluate(bundle, truth, conditions.CHAMPION, segments=segments))
    return pa.concat_tables([*measures, _plain(before, truth, products, chosen, solver, segments)])


def _plain(
    before: Interactions,
    truth: Interactions,
    products: pa.Table,
    chosen: ModelSettings,
    solver: Solver,
    segments: Array,
) -> pa.Table:
    """Returns the measures of plain ALS: the counts of orders of any age."""
    settings = chosen.model_copy(update={"als": yardsticks.PLAIN_ALS, "ranker": None})
    plain = fit_without_rules(before, products, settings, solver)
    return evaluation.evaluate(plain, truth, yardsticks.PLAIN, "als", segments)


def _parts(known: Interactions, how: Split) -> tuple[Interactions, Interactions]:
    """Returns (known purchases, purchases to predict)."""
    if how == "random":
        return splits.random_split(known, HELD_OUT, SEED)
    if how == "leave-last-out":
        return splits.leave_last_out(known)
    last = interactions.date_of(int(known.day.max()))
    cut = windows.windows(known, last, evaluation_settings.load().horizon_days)
    return known.until(cut.validation), known.bought(cut.validation, cut.test)
