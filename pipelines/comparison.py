"""The champion's settings beside the baselines, fitted and measured anew on what the lake holds."""

import pyarrow as pa

from pipelines import columns as c
from pipelines import evaluate as evaluation
from pipelines import gate, lake, registry, split, sweep
from pipelines.settings import Split, settings
from pipelines.split import Interactions
from pipelines.train import rules
from pipelines.train.bundle import learn, reopened
from serving.errors import NightshelfError
from serving.recommender import BASELINES, learned

HELD_OUT = 0.2  # share of the purchases of a random split
SEED = 3


def compare(how: Split) -> pa.Table:
    """The rows of `evaluate` for the champion's settings, ALS alone, its ranker and the baselines on a split.

    Only `time` is what a shop meets. The other two let training see what came later: they are for
    comparisons with papers that did so. Raises NightshelfError where nothing serves yet.
    """
    champion = registry.champion()
    if champion is None:
        raise NightshelfError("no model serves yet, so there are no settings to measure: run a night first")
    products = lake.read(lake.PRODUCTS)
    known = split.interactions(lake.read(lake.INTERACTIONS), products[c.PRODUCT].to_pylist())
    before, truth = _parts(known, how)
    silent = rules.none(products.num_rows)
    bundle = reopened(learn(before, products, champion.chosen, silent, settings().solver))
    groups = evaluation.customer_groups(before)
    judged = [evaluation.evaluate(bundle, truth, gate.CHAMPION, groups=groups)]
    models = (*BASELINES, *learned(bundle))
    judged += [evaluation.evaluate(bundle, truth, name, name, groups) for name in models]
    return pa.concat_tables(judged)


def _parts(known: Interactions, how: Split) -> tuple[Interactions, Interactions]:
    if how == "random":
        return split.random_split(known, HELD_OUT, SEED)
    if how == "leave-last-out":
        return split.leave_last_out(known)
    last = split.date_of(int(known.day.max()))
    cut = split.windows(known, last, sweep.load().evaluation.horizon_days)
    return known.until(cut.validation), known.bought(cut.validation, cut.test)
