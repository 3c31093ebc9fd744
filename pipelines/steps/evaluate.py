"""From the sweep's choice to a challenger: measured beside others, settled, registered.

Wiring; what each step found is in MLflow and in the lake.
"""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines.demo.planted import tastes
from pipelines.evaluate import backtest, differences
from pipelines.gate import challenger, conditions, product_weight, shoppers
from pipelines.gate.conditions import Settled
from pipelines.lake import tables
from pipelines.prepare.interactions import Interactions, date_of
from pipelines.registry import versions
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.settings import customer_key, settings
from pipelines.sweep import space
from pipelines.sweep.space import Candidate, Chosen
from pipelines.train import association_rules
from pipelines.train.bundle import factorised, learn, reopened
from serving.bundle import format as bundle_format
from serving.bundle.format import Array, Bundle
from serving.errors import BundleError, NightshelfError
from serving.http.overview import SHOPPERS
from serving.live.registry import BUNDLE
from serving.recommend.recommender import BASELINES, learned

CHOSEN, VERSION, SETTINGS = "chosen", "version", "settings"
AGAINST = "against"  # the version that served when the challenger was measured
DAYS = 30  # whose measures, customer by customer, are kept in the lake
NEW, KEPT = "the sweep's", "the champion's"

log = logging.getLogger(__name__)


def check_live(night: Night) -> dict[str, Any]:
    """The champion's measures on the orders since it was fitted; nothing where it can't be asked."""
    champion = versions.champion()
    bundle = opened(champion.version) if champion else None
    if champion is None or bundle is None:
        return {}
    known, _, _ = pins.known(night)
    judged = backtest.judge(bundle, known, conditions.CHAMPION)
    tables.keep_latest("live", DAYS)
    tables.write(pins.own(night, tables.LIVE), judged)
    measured = evaluation.summary(judged).get(conditions.CHAMPION, {})
    few = evaluation.flat(measured, (evaluation.NDCG, evaluation.CUSTOMERS))
    found = {f"live_{name}": value for name, value in few.items()}
    tracking.log(night.run_id, metrics=found)
    if str(night.as_of) >= champion.live_as_of:  # a night of the past tells less than is known
        told = {name: f"{value:.6f}" for name, value in found.items()}
        versions.note(champion.version, told | {versions.LIVE_AS_OF: str(night.as_of)})
    return found


def evaluate(night: Night) -> dict[str, Any]:
    """Judges the sweep's choice, the baselines and the champion's settings; settles the challenger."""
    choice, champion = space.choose(_tried(night)), versions.champion()
    held = champion.chosen.model_copy(update={"strength": 0.0}) if champion else None
    known, products, cut = pins.known(night)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    bundle = other = fitted(night, before, products, choice)
    if (seen := backtest.last_day(bundle)) > cut.validation:
        raise NightshelfError(
            f"what is measured has seen {date_of(seen)}, a day of the test window: it can't be judged by it"
        )
    groups = evaluation.customer_groups(before)
    components = _components(bundle, truth, groups)
    judged = [components, differences.composed(components, choice.lanes, conditions.SWEEP)]
    if held:
        if held.model_copy(update={"lanes": choice.lanes}) != choice:
            other = fitted(night, before, products, held)
            components = _components(other, truth, groups)
        judged.append(differences.composed(components, held.lanes, conditions.CHAMPION))
    table = pa.concat_tables(judged)
    settled = conditions.settle(evaluation.known_only(table), choice, held, space.load())
    if strength := _strength(night, settled.chosen):
        settled = replace(settled, chosen=settled.chosen.model_copy(update={"strength": strength}))
        weighed = product_weight.judge(bundle if settled.is_new else other, settled.chosen, truth, groups)
        table = pa.concat_tables([table, weighed])
    else:
        table = pa.concat_tables([table, conditions.challenger(table, settled)])
    tables.keep_latest("evaluation", DAYS)
    tables.write(pins.own(night, tables.EVALUATION), table)
    tracking.log(night.run_id, tags={AGAINST: champion.version if champion else ""})
    return _told(night, settled, table)


def register(night: Night) -> dict[str, Any]:
    """Fits the challenger's settings on everything and registers that bundle as a new version."""
    chosen = chosen_of(night)
    known, products, cut = pins.known(night)
    bundle = challenger.fit(night, known.until(cut.test), products, chosen)
    judged = tables.read(pins.own(night, tables.EVALUATION))
    shown = {SHOPPERS: shoppers.telling(judged, known, products, cut, _planted(night))}
    bundle = replace(bundle, manifest=bundle.manifest | shown)
    with tempfile.TemporaryDirectory() as beside:
        folder = bundle_format.save(bundle, Path(beside) / BUNDLE.name)
        version = versions.register(folder, night.run_id, challenger.tags(night, chosen, bundle))
    tracking.log(night.run_id, tags={VERSION: version})
    return {"version": version}


def fitted(night: Night, before: Interactions, products: pa.Table, chosen: Chosen) -> Bundle:
    """The bundle of what was known before a cut, without rules: they answer no lane."""
    return reopened(learn(before, products, chosen, association_rules.none(products.num_rows), night.solver))


def unranked(night: Night, before: Interactions, products: pa.Table, chosen: Chosen) -> Bundle:
    """The same without the ranker, but with all that it looks at."""
    silent = association_rules.none(products.num_rows)
    return factorised(before, products, chosen, silent, night.solver, {"lanes": chosen.lanes})


def opened(version: str) -> Bundle | None:
    """The champion's bundle, or None where it can't be read: then it is no measure for others."""
    try:
        return versions.bundle(version)
    except BundleError as error:
        log.warning("the champion's bundle can't be read, nothing is compared with it: %s", error)
        return None


def chosen_of(night: Night) -> Chosen:
    """The settings that the night's challenger is fitted with."""
    return Chosen.model_validate_json(tracking.tag(night.run_id, CHOSEN) or "{}")


def _strength(night: Night, chosen: Chosen) -> float:
    """How much the products' weight may count by the validation window; 0 where the shop gives them none."""
    known, products, cut = pins.known(night)
    if not product_weight.differ(products):
        return 0.0
    bundle = fitted(night, known.until(cut.train), products, chosen)
    bounds = space.load().business
    tried = product_weight.tried(bundle, known.bought(cut.train, cut.validation), bounds)
    strength = product_weight.strongest(tried, bounds)
    told = {f"strength {one:g}": lanes for one, lanes in tried.items()}
    tracking.client().log_dict(night.run_id, told, "business.json")
    tracking.log(night.run_id, metrics={"strength": strength})
    return strength


def _planted(night: Night) -> dict[str, list[str]]:
    """What the demo shop made its customers like; nothing of another shop's."""
    return tastes(customer_key()) if night.source == "shop-api" and settings().is_demo_shop else {}


def _components(bundle: Bundle, truth: Interactions, groups: Array) -> pa.Table:
    """The measures of each component of a bundle, under its name."""
    names = (*BASELINES, *learned(bundle))
    return pa.concat_tables([evaluation.evaluate(bundle, truth, name, name, groups) for name in names])


def _tried(night: Night) -> list[tuple[Candidate, space.Metrics]]:
    """The night's candidates with what the sweep measured of them."""
    return [
        (
            Candidate.model_validate_json(run.data.tags[tracking.CANDIDATE]),
            evaluation.by_lane(run.data.metrics),
        )
        for run in tracking.children(night.run_id)
    ]


def _told(night: Night, settled: Settled, judged: pa.Table) -> dict[str, Any]:
    """Writes the challenger's settings and all measures to MLflow; the challenger's carry the plain names."""
    measured, groups = evaluation.summary(judged), evaluation.by_group(judged)
    metrics = evaluation.flat(measured.get(conditions.CHALLENGER, {}))
    for model in measured.keys() - {conditions.CHALLENGER}:
        found = evaluation.flat(measured[model], (evaluation.NDCG, evaluation.WEIGHT))
        metrics |= {f"{model}_{name}": value for name, value in found.items()}
    for group, models in groups.items():
        found = evaluation.flat(models.get(conditions.CHALLENGER, {}), (evaluation.NDCG,))
        metrics |= {f"{name}_{group}": value for name, value in found.items()}
    edges = ", ".join(space.edges(settled.chosen.als, night.sweep))
    tags = {CHOSEN: settled.chosen.model_dump_json(), "edge_of_grid": edges or "none"}
    tags |= {SETTINGS: NEW if settled.is_new else KEPT, "settled": "; ".join(settled.reasons)}
    tracking.log(night.run_id, metrics=metrics, tags=tags)
    told = {"models": measured, "groups": groups, "differences": _differences(judged)}
    tracking.client().log_dict(night.run_id, told, "evaluation.json")
    shown = (evaluation.NDCG, evaluation.WEIGHT)
    return {name: round(value, 4) for name, value in metrics.items() if any(one in name for one in shown)}


def _differences(judged: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """The challenger's NDCG@10 minus each other model's, by lane, with intervals."""
    known, settings = evaluation.known_only(judged), space.load().evaluation
    others = set(known[evaluation.MODEL].unique().to_pylist()) - {conditions.CHALLENGER}
    return {
        model: {
            lane: vars(found)
            for lane, found in differences.differences(known, conditions.CHALLENGER, model, settings).items()
        }
        for model in sorted(others)
    }
