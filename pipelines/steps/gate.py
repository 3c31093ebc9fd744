"""The verdict on a registered version, and what becomes of it: promoted, or kept as refused.

Wiring, as `challenge` is; what was measured before is in the lake, what was decided in MLflow.
"""

import datetime as dt
import json
from typing import Any

import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines.evaluate import backtest
from pipelines.gate import conditions, soundness
from pipelines.gate.conditions import Condition
from pipelines.lake import tables
from pipelines.prepare.interactions import day_number
from pipelines.registry import acts as registry_acts
from pipelines.registry import versions
from pipelines.registry.versions import Champion
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.steps.evaluate import (
    AGAINST,
    KEPT,
    NEW,
    SETTINGS,
    VERSION,
    chosen_of,
    fitted,
    opened,
    unranked,
)
from pipelines.sweep import space
from serving.bundle.format import Bundle
from serving.errors import BundleError, NightshelfError

DECISION = "decision"
STEADY_DAYS = 7  # after which other answers than the champion's are to be expected


def judge(night: Night) -> dict[str, Any]:
    """The verdict on the registered version, written to MLflow with its reasons."""
    version, champion = tracking.tag(night.run_id, VERSION) or "", versions.champion()
    if (now := champion.version if champion else "") != (then := tracking.tag(night.run_id, AGAINST)):
        raise _meanwhile(now, version, then)
    judged = evaluation.known_only(tables.read(pins.own(night, tables.EVALUATION)))
    served = opened(champion.version) if champion else None
    since = _since(night, served)
    found = [
        *conditions.conditions(judged, since, space.load()),
        *_of_bundle(night, version, served, judged),
        *(_of_champion(night, champion, judged, since) if champion else []),
    ]
    decision = conditions.decide(found, champion is not None)
    told: dict[str, Any] = {"verdict": decision.verdict, "reasons": decision.reasons, "version": version}
    told |= {"champion": champion.version if champion else None, "lanes": chosen_of(night).lanes}
    tracking.log(night.run_id, tags={"verdict": decision.verdict, DECISION: json.dumps(told)})
    full = told | {"conditions": [vars(one) for one in found]}
    tracking.client().log_dict(night.run_id, full, "decision.json")
    versions.note(version, versions.verdict_tags(decision.verdict, decision.reasons))
    return told


def promote(night: Night) -> dict[str, Any]:
    """The version that serves by the gate's verdict, or None where it was refused.

    Raises NightshelfError where another version serves by now than the one it was compared with.
    """
    decision = json.loads(tracking.tag(night.run_id, DECISION) or "{}")
    version = decision["version"]
    if decision["verdict"] == "REFUSED":
        registry_acts.refuse(version, decision["reasons"])
        return {"version": None}
    serving = versions.champion()
    if serving and serving.version not in (decision["champion"], version):
        raise _meanwhile(serving.version, version, decision["champion"])
    registry_acts.promote(
        version, f"{decision['verdict']} on the night of {night.as_of}", decision["verdict"]
    )
    return {"version": version}


def _since(night: Night, served: Bundle | None) -> pa.Table | None:
    """Champion and challenger on the orders since: settings fitted to what the champion knew, no more."""
    if served is None or not tables.exists(table := pins.own(night, tables.LIVE)):
        return None
    judged = evaluation.known_only(tables.read(table))
    if not judged.num_rows:
        return None
    known, products, _ = pins.known(night)
    bundle = fitted(night, known.until(backtest.last_day(served)), products, chosen_of(night))
    return evaluation.known_only(
        pa.concat_tables([judged, backtest.judge(bundle, known, conditions.CHALLENGER)])
    )


def _of_bundle(night: Night, version: str, served: Bundle | None, judged: pa.Table) -> list[Condition]:
    """What the registered bundle, as the registry gives it, is by itself and beside the champion's."""
    try:
        return _asked(night, versions.bundle(version), served, judged)
    except BundleError as error:
        return [Condition("the bundle is whole", False, str(error))]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [Condition("the bundle answers", False, f"asking it fails ({type(error).__name__})")]


def _asked(night: Night, bundle: Bundle, served: Bundle | None, judged: pa.Table) -> list[Condition]:
    chosen = chosen_of(night)
    if bundle.manifest.get("lanes") != chosen.lanes:
        return [Condition("lanes are answered as measured", False, "the bundle's lanes are other ones")]
    known, products, cut = pins.known(night)
    before = known.until(cut.validation)
    earlier = unranked(night, before, products, chosen) if chosen.ranker else bundle
    truth, settings = known.bought(cut.validation, cut.test), space.load()
    bounds = settings.gate
    found = soundness.soundness(bundle, bounds)
    found += soundness.remembers(bundle, earlier, truth, judged, settings)
    if served:
        found.append(soundness.kept(bundle, served, bounds))
        age = day_number(night.as_of) - backtest.last_day(served)
        if tracking.tag(night.run_id, SETTINGS) == KEPT and age <= STEADY_DAYS:
            found += soundness.steady(bundle, served, bounds)
    return found


def _of_champion(
    night: Night, champion: Champion, judged: pa.Table, since: pa.Table | None
) -> list[Condition]:
    """What the champion's own night and a rollback ask for."""
    is_young = champion.as_of >= str(night.as_of - dt.timedelta(days=STEADY_DAYS))
    found = conditions.plausible(judged, champion.measured, space.load(), is_young)
    found += conditions.foretold(since, champion.measured, space.load())
    if champion.held and tracking.tag(night.run_id, SETTINGS) != NEW:
        told = f"only what surely beats version {champion.version} follows, or what a person promotes"
        found.append(Condition("a rollback holds", False, f"{champion.held}: {told}"))
    return found


def _meanwhile(now: str, version: str, then: str | None) -> NightshelfError:
    return NightshelfError(
        f"version {now or 'none'} was promoted meanwhile, and version {version} was compared with"
        f" {then or 'none'}: the next night compares anew"
    )
