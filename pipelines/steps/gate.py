"""Step `gate`: decides whether the registered version may serve."""

import datetime as dt
import json
from typing import Any

import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines.evaluate import backtest, night_data
from pipelines.gate import challenger, conditions, settings, soundness
from pipelines.gate.conditions import Condition
from pipelines.gate.settings import GateSettings
from pipelines.lake import tables
from pipelines.prepare.interactions import day_number
from pipelines.registry import acts, approvals, versions
from pipelines.registry.versions import Champion
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_without_ranker, fit_without_rules
from serving.bundle.format import Bundle
from serving.errors import BundleError

STEADY_DAYS = 7  # a champion older than this may be followed by quite different recommendations


def run(night: Night) -> dict[str, Any]:
    """Returns the verdict on the registered version, with its reasons; both are written to MLflow.

    Raises NightshelfError if the champion is no longer the version that the challenger was compared with.
    """
    version, champion = tracking.tag(night.run_id, tracking.VERSION) or "", versions.champion()
    serving, compared = champion.version if champion else "", tracking.tag(night.run_id, tracking.AGAINST)
    if serving != compared:
        raise challenger.outdated(serving, version, compared)
    checks = _conditions(night, version, champion)
    decision = conditions.decide(checks, champion is not None)
    verdict: dict[str, Any] = {
        "verdict": decision.verdict,
        "reasons": decision.reasons,
        "version": version,
        "champion": champion.version if champion else None,
        "lanes": challenger.chosen(night).lanes,
    }
    tags = {"verdict": decision.verdict, tracking.DECISION: json.dumps(verdict)}
    tracking.log(night.run_id, tags=tags)
    rows = [{"name": check.name, "met": check.met, "told": check.detail} for check in checks]
    tracking.client().log_dict(night.run_id, verdict | {"conditions": rows}, "decision.json")
    outcome = versions.verdict_tags(decision.verdict, decision.reasons)
    approvals.decide(versions.find(version), outcome, decision.verdict != acts.REFUSED)
    return verdict


def _conditions(night: Night, version: str, champion: Champion | None) -> list[Condition]:
    options = settings.load()
    measures = evaluation.known_only(tables.read(pins.own_table(night, tables.EVALUATION)))
    served = versions.readable_bundle(champion.version) if champion else None
    since = _measures_since(night, served)
    return [
        *conditions.conditions(measures, since, options),
        *_bundle_conditions(night, version, served, measures, options),
        *(_champion_conditions(night, champion, measures, since, options) if champion else []),
    ]


def _measures_since(night: Night, served: Bundle | None) -> pa.Table | None:
    """Returns the measures of champion and challenger on orders since the champion's fit; None without any.

    The challenger's settings are fitted to what the champion knew, no more.
    """
    if served is None or not tables.exists(table := pins.own_table(night, tables.BACKTEST)):
        return None
    measures = evaluation.known_only(tables.read(table))
    if not measures.num_rows:
        return None
    known, products, _ = night_data.load(night)
    before = known.until(backtest.last_day(served))
    bundle = fit_without_rules(before, products, challenger.chosen(night), night.solver)
    own = backtest.evaluate_since(bundle, known, conditions.CHALLENGER)
    return evaluation.known_only(pa.concat_tables([measures, own]))


def _bundle_conditions(
    night: Night, version: str, served: Bundle | None, measures: pa.Table, options: GateSettings
) -> list[Condition]:
    """Returns the conditions on the registered bundle, as the registry delivers it."""
    try:
        bundle = versions.bundle(version)
        if not approvals.is_registered(versions.find(version), bundle.manifest):
            return [Condition("the bundle is the registered one", False, "it was changed in the registry")]
        return _opened_bundle_conditions(night, bundle, served, measures, options)
    except BundleError as error:
        return [Condition("the bundle is whole", False, str(error))]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [
            Condition("the bundle answers", False, f"recommending with it fails ({type(error).__name__})")
        ]


def _opened_bundle_conditions(
    night: Night, bundle: Bundle, served: Bundle | None, measures: pa.Table, options: GateSettings
) -> list[Condition]:
    chosen = challenger.chosen(night)
    if bundle.manifest.get("lanes") != chosen.lanes:
        return [
            Condition(
                "lanes are answered as measured", False, "the bundle's lanes differ from the evaluated ones"
            )
        ]
    known, products, cut = night_data.load(night)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    earlier = bundle
    if chosen.ranker:
        rules, lanes = no_rules(products.num_rows), {"lanes": chosen.lanes}
        earlier = fit_without_ranker(before, products, chosen, rules, night.solver, lanes)
    _, checks = soundness.check(bundle, options.thresholds)
    checks += soundness.remembers(bundle, earlier, truth, measures, options)
    if served:
        checks.append(soundness.kept(bundle, served, options.thresholds))
        age = day_number(night.as_of) - backtest.last_day(served)
        if tracking.tag(night.run_id, tracking.SETTINGS) == tracking.KEPT and age <= STEADY_DAYS:
            checks += soundness.steady(bundle, served, options.thresholds)
    return checks


def _champion_conditions(
    night: Night, champion: Champion, measures: pa.Table, since: pa.Table | None, options: GateSettings
) -> list[Condition]:
    """Returns the conditions that depend on the champion's own nightly run, and on a rollback."""
    is_young = champion.as_of >= str(night.as_of - dt.timedelta(days=STEADY_DAYS))
    checks = conditions.plausible(measures, champion.measured, options, is_young)
    checks += conditions.predicted(since, champion.measured, options)
    if champion.held and tracking.tag(night.run_id, tracking.SETTINGS) != tracking.NEW:
        confidence = options.thresholds.sure
        detail = (
            f"only settings that beat version {champion.version} with confidence"
            f" {confidence:g} are promoted, or a version that a person promotes"
        )
        checks.append(Condition("allowed after the rollback", False, f"{champion.held}: {detail}"))
    return checks
