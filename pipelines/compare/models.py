"""The champion's settings beside baselines and yardsticks, measured anew on what the lake holds."""

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
    """The rows of `judge` for the champion's settings on a split.

    Only `time` is what a shop meets. The other two let training see what came later: they are for
    comparisons with papers that did so. Raises NightshelfError where nothing serves yet.
    """
    champion = versions.champion()
    if champion is None:
        raise NightshelfError("no model serves yet, so there are no settings to measure: run a night first")
    products = tables.read(tables.PRODUCTS)
    rows = tables.read_path(tables.current_path(tables.INTERACTIONS), coded=interactions.IDS)
    known = interactions.interactions(rows, products[c.PRODUCT].to_pylist())
    before, truth = _parts(known, how)
    return evaluate_models(before, truth, products, champion.chosen, settings().solver)


def evaluate_models(
    before: Interactions, truth: Interactions, products: pa.Table, chosen: ModelSettings, solver: Solver
) -> pa.Table:
    """The rows of `evaluate` for settings fitted to what was known, as champion, and for each yardstick."""
    bundle = fit_without_rules(before, products, chosen, solver)
    groups = evaluation.customer_segments(before)
    scorers: dict[str, str | Scorer] = {name: name for name in (*BASELINES, *learned_components(bundle))}
    scorers[yardsticks.LATELY] = yardsticks.popularity_lately
    if products.num_rows <= yardsticks.MOST_PRODUCTS:
        scorers[yardsticks.EASE] = yardsticks.ease(bundle)
    judged = [evaluation.evaluate(bundle, truth, name, one, groups) for name, one in scorers.items()]
    as_scored = conditions.UNWEIGHTED if chosen.strength else conditions.CHAMPION
    judged.append(differences.compose(pa.concat_tables(judged), chosen.lanes, as_scored))
    if chosen.strength:
        judged.append(evaluation.evaluate(bundle, truth, conditions.CHAMPION, groups=groups))
    return pa.concat_tables([*judged, _plain(before, truth, products, chosen, solver, groups)])


def _plain(
    before: Interactions,
    truth: Interactions,
    products: pa.Table,
    chosen: ModelSettings,
    solver: Solver,
    groups: Array,
) -> pa.Table:
    settings = chosen.model_copy(update={"als": yardsticks.PLAIN_ALS, "ranker": None})
    plain = fit_without_rules(before, products, settings, solver)
    return evaluation.evaluate(plain, truth, yardsticks.PLAIN, "als", groups)


def _parts(known: Interactions, how: Split) -> tuple[Interactions, Interactions]:
    if how == "random":
        return splits.random_split(known, HELD_OUT, SEED)
    if how == "leave-last-out":
        return splits.leave_last_out(known)
    last = interactions.date_of(int(known.day.max()))
    cut = windows.windows(known, last, evaluation_settings.load().horizon_days)
    return known.until(cut.validation), known.bought(cut.validation, cut.test)
