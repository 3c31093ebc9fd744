"""Step `evaluate`: measures the sweep's choice and the champion's settings, and decides the challenger."""

from dataclasses import replace

import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines.evaluate import backtest, differences, night_data
from pipelines.evaluate import settings as evaluation_settings
from pipelines.evaluate.night_data import NightData
from pipelines.gate import conditions, product_weight, settings
from pipelines.gate.conditions import Settled
from pipelines.lake import tables
from pipelines.prepare.interactions import Interactions, date_of
from pipelines.registry import versions
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.sweep import choice, space
from pipelines.sweep.choice import Metrics
from pipelines.train.bundle import fit_without_rules
from pipelines.train.recipe import Candidate, ModelSettings
from serving.bundle.format import Array, Bundle
from serving.errors import NightshelfError
from serving.recommend.recommender import BASELINES, learned_components

KEPT_DAYS = 30  # days whose measures by customer stay in the lake


def run(night: Night) -> dict[str, float]:
    """Returns the models' NDCG@10 by lane; all measures are written to the lake and to MLflow."""
    champion, data = versions.champion(), night_data.load(night)
    measures, settled = _measure(night, data, _choice(night), champion.chosen if champion else None)
    tables.keep_latest("evaluation", KEPT_DAYS)
    tables.write(pins.own_table(night, tables.EVALUATION), measures)
    tracking.log(night.run_id, tags={tracking.AGAINST: champion.version if champion else ""})
    return _log(night, settled, measures)


def _measure(
    night: Night, data: NightData, chosen: ModelSettings, champion: ModelSettings | None
) -> tuple[pa.Table, Settled]:
    """Returns the measures of all models on the test window, and the challenger.

    chosen: the sweep's settings. champion: the settings that the champion was fitted with, if there is one.
    """
    before = data.known.until(data.cut.validation)
    truth = data.known.bought(data.cut.validation, data.cut.test)
    segments = evaluation.customer_segments(before)
    bundle = champion_bundle = fit_without_rules(before, data.products, chosen, night.solver)
    _check_cut(bundle, data.cut.validation)
    components = _components(bundle, truth, segments)
    parts = [components, differences.compose(components, chosen.lanes, conditions.SWEEP)]
    current = champion.model_copy(update={"strength": 0.0}) if champion else None  # measured without weights
    if current:
        if current.model_copy(update={"lanes": chosen.lanes}) != chosen:
            champion_bundle = fit_without_rules(before, data.products, current, night.solver)
            components = _components(champion_bundle, truth, segments)
        parts.append(differences.compose(components, current.lanes, conditions.CHAMPION))
    measures = pa.concat_tables(parts)
    settled = conditions.settle(evaluation.known_only(measures), chosen, current, settings.load())
    if strength := _strength(night, data, settled.chosen):
        settled = replace(settled, chosen=settled.chosen.model_copy(update={"strength": strength}))
        fitted = bundle if settled.is_new else champion_bundle
        own = product_weight.evaluate_challenger(fitted, settled.chosen, truth, segments)
    else:
        own = conditions.challenger(measures, settled)
    return pa.concat_tables([measures, own]), settled


def _check_cut(bundle: Bundle, cut: int) -> None:
    """Raises NightshelfError if the bundle knows days after the cut (days since 1970)."""
    if (day := backtest.last_day(bundle)) > cut:
        raise NightshelfError(
            f"the bundle to be measured knows {date_of(day)}, a day of the test window,"
            " and so can't be measured on it"
        )


def _choice(night: Night) -> ModelSettings:
    """Returns the best settings by the sweep's measures."""
    trials: list[tuple[Candidate, Metrics]] = [
        (
            Candidate.model_validate_json(run.data.tags[tracking.CANDIDATE]),
            evaluation.by_lane(run.data.metrics),
        )
        for run in tracking.children(night.run_id)
    ]
    return choice.choose(trials)


def _components(bundle: Bundle, truth: Interactions, segments: Array) -> pa.Table:
    """Returns the measures of each component of a bundle, under its name."""
    names = (*BASELINES, *learned_components(bundle))
    return pa.concat_tables([evaluation.evaluate(bundle, truth, name, name, segments) for name in names])


def _strength(night: Night, data: NightData, chosen: ModelSettings) -> float:
    """Returns the strength of the products' weight, chosen on the validation window; 0 without weights."""
    if not product_weight.has_weights(data.products):
        return 0.0
    bundle = fit_without_rules(data.known.until(data.cut.train), data.products, chosen, night.solver)
    truth, limits = data.known.bought(data.cut.train, data.cut.validation), settings.load().product_weight
    trials = product_weight.measure_strengths(bundle, truth, limits)
    strength = product_weight.strongest(trials, limits)
    lanes = {f"strength {value:g}": metrics for value, metrics in trials.items()}
    tracking.client().log_dict(night.run_id, lanes, "business.json")
    tracking.log(night.run_id, metrics={"strength": strength})
    return strength


def _log(night: Night, settled: Settled, measures: pa.Table) -> dict[str, float]:
    """Writes settings and measures to MLflow and returns the main ones.

    The challenger's metrics have plain names; the other models' begin with the model's name.
    """
    means, segments = evaluation.summary(measures), evaluation.by_segment(measures)
    metrics = evaluation.flatten(means.get(conditions.CHALLENGER, {}))
    for model in means.keys() - {conditions.CHALLENGER}:
        flat = evaluation.flatten(means[model], (evaluation.NDCG, evaluation.WEIGHT))
        metrics |= {f"{model}_{name}": value for name, value in flat.items()}
    for segment, models in segments.items():
        flat = evaluation.flatten(models.get(conditions.CHALLENGER, {}), (evaluation.NDCG,))
        metrics |= {f"{name}_{segment}": value for name, value in flat.items()}
    tracking.log(night.run_id, metrics=metrics, tags=_tags(night, settled))
    tables_of_means = {"models": means, "groups": segments, "differences": _differences(measures)}
    tracking.client().log_dict(night.run_id, tables_of_means, "evaluation.json")
    main = (evaluation.NDCG, evaluation.WEIGHT)
    return {name: round(value, 4) for name, value in metrics.items() if any(word in name for word in main)}


def _tags(night: Night, settled: Settled) -> dict[str, str]:
    return {
        tracking.CHOSEN: settled.chosen.model_dump_json(),
        "edge_of_grid": ", ".join(space.edges(settled.chosen.als, night.sweep)) or "none",
        tracking.SETTINGS: tracking.NEW if settled.is_new else tracking.KEPT,
        "settled": "; ".join(settled.reasons),
    }


def _differences(measures: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """Returns the challenger's NDCG@10 minus each other model's, by model and lane, with intervals."""
    known, own = evaluation.known_only(measures), conditions.CHALLENGER
    others = sorted(set(known[evaluation.MODEL].unique().to_pylist()) - {own})
    options = evaluation_settings.load()
    return {
        model: {
            lane: vars(difference)
            for lane, difference in differences.differences(known, own, model, options).items()
        }
        for model in others
    }
