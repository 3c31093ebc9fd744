"""The gate's conditions: a model is promoted only when it measures no worse than the one that serves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from pipelines.evaluate import NDCG, differences
from pipelines.evaluate.differences import Difference
from pipelines.gate.settings import GateSettings
from pipelines.train.recipe import ModelSettings
from serving.recommend.lanes import LANES
from serving.recommend.recommender import BASELINES

SWEEP, CHALLENGER, CHAMPION = "sweep", "challenger", "champion"
UNWEIGHTED = "unweighted"  # the challenger without the re-ranking by the products' weight
MAIN = "for-you"
MIN_CUSTOMERS = 100  # below it a lane's mean varies too much to be compared with an earlier one

Verdict = Literal["FIRST", "PROMOTED", "REFUSED"]


@dataclass(frozen=True)
class Settled:
    """What the challenger is: its settings, the model whose measures are its own by lane, and the reasons."""

    chosen: ModelSettings
    measured_as: dict[str, str]  # by lane, the model whose measures are the challenger's
    reasons: list[str]
    is_new: bool  # whether the settings are the sweep's


@dataclass(frozen=True)
class Condition:
    """One condition of the gate: whether the challenger meets it, and the figures behind that."""

    name: str
    met: bool
    detail: str


@dataclass(frozen=True)
class Decision:
    """A verdict and its reasons in words."""

    verdict: Verdict
    reasons: list[str]


def settle(
    measures: pa.Table, choice: ModelSettings, champion: ModelSettings | None, settings: GateSettings
) -> Settled:
    """Returns the challenger: the sweep's choice if it beats the champion's settings, else those settings.

    "Beats" means with confidence `sure` in one lane, and without a loss beyond the tolerance in any other;
    so noise seldom changes settings. A lane that loses to a baseline is answered by that baseline. A first
    model's lane loses if part of the interval is beyond the tolerance, a later one's only if all of it is.
    """
    if champion is None:
        first = Settled(choice, dict.fromkeys(LANES, SWEEP), [], is_new=True)
        return _with_baselines(measures, first, settings, Difference.may_be_worse)
    gains = differences.differences(measures, SWEEP, CHAMPION, settings.evaluation)
    is_new = _beats(measures, gains, settings)
    model, chosen = (SWEEP, choice) if is_new else (CHAMPION, champion)
    reasons = [f"settings: {'the sweep' if is_new else 'the champion'}'s are used"]
    reasons += [f"{lane}: the sweep's choice has NDCG@10 {gain}" for lane, gain in gains.items()]
    settled = Settled(chosen, dict.fromkeys(LANES, model), reasons, is_new)
    return _with_baselines(measures, settled, settings, Difference.is_worse)


def challenger(measures: pa.Table, settled: Settled) -> pa.Table:
    """Returns the rows of a table of measures that are the challenger's, under its name."""
    return differences.compose(measures, settled.measured_as, CHALLENGER)


def conditions(measures: pa.Table, since: pa.Table | None, settings: GateSettings) -> list[Condition]:
    """Returns the conditions that compare a challenger with baselines and champion.

    measures: challenger, baselines and champion on the test window. A challenger that is re-ranked by weight
    is compared without the re-ranking, whose cost is a condition of its own. since: champion and challenger
    on the orders after the champion's fit, the challenger fitted to what the champion knew; None without any.
    """
    customers = len(differences.by_customer(measures, CHALLENGER, MAIN))
    costs = differences.differences(measures, CHALLENGER, UNWEIGHTED, settings.evaluation)
    own = UNWEIGHTED if costs else CHALLENGER
    return [
        Condition(f"{MAIN}: measured", customers > 0, f"on {customers} customers of the test window"),
        *_against_baselines(measures, own, settings),
        *_against_champion(measures, own, settings),
        *_costs_of_weight(costs, settings),
        *_on_new_orders(since, settings),
    ]


def plausible(
    measures: pa.Table, before: Mapping[str, float], settings: GateSettings, is_young: bool
) -> list[Condition]:
    """Returns, by lane, whether the challenger measures close to what the champion measured on its own run.

    Only this shows that data, windows or code are broken for every model alike. A young champion was measured
    on nearly the same days, so that the challenger may lose little.
    """
    most = settings.thresholds.measured_apart
    least = settings.thresholds.measured_lost if is_young else most
    checks = []
    for lane, earlier in before.items():
        values = differences.select_lane(measures, CHALLENGER, lane)[NDCG].to_numpy()
        if not earlier or len(values) < MIN_CUSTOMERS:
            continue
        low, high = differences.bootstrap_interval(values, settings.evaluation)
        detail = (
            f"NDCG@10 {values.mean():.4f} [{low:.4f}, {high:.4f}], the champion's was {earlier:.4f};"
            f" allowed are {least:g} times less to {most:g} times more"
        )
        met = high >= earlier / least and low <= earlier * most
        checks.append(Condition(f"{lane}: close to the champion's own measurement", met, detail))
    return checks


def predicted(since: pa.Table | None, before: Mapping[str, float], settings: GateSettings) -> list[Condition]:
    """Returns whether the champion predicts the orders since its fit about as well as those of its own run.

    The list is empty if there are too few. Orders that it can't predict at all are probably broken, and the
    challenger has learned from them.
    """
    values = differences.by_customer(since, CHAMPION, MAIN) if since else {}
    if MAIN not in before or len(values) < settings.thresholds.live_customers:
        return []
    now, least = sum(values.values()) / len(values), before[MAIN] / settings.thresholds.live_apart
    detail = (
        f"the champion has NDCG@10 {now:.4f} on them; at least {least:.4f} is expected after the"
        f" {before[MAIN]:.4f} of its own run"
    )
    return [Condition("new orders are like earlier ones", now >= least, detail)]


def decide(checks: list[Condition], has_champion: bool) -> Decision:
    """Returns the verdict: REFUSED with each condition that is not met, else with all conditions."""
    failed = [check for check in checks if not check.met]
    reasons = [f"{check.name}: {check.detail}" for check in failed or checks]
    if failed:
        return Decision("REFUSED", reasons)
    return Decision("PROMOTED" if has_champion else "FIRST", reasons)


def _beats(measures: pa.Table, gains: Mapping[str, Difference], settings: GateSettings) -> bool:
    """Returns whether the sweep's choice beats the champion's settings in one lane and loses in none."""
    thresholds = settings.thresholds
    confident = settings.evaluation.model_copy(update={"confidence": thresholds.sure})
    wide = differences.differences(measures, SWEEP, CHAMPION, confident)
    wins = any(gain.low > 0 for gain in wide.values())
    return wins and not any(gain.may_be_worse(thresholds.tolerance) for gain in gains.values())


def _against_baselines(measures: pa.Table, own: str, settings: GateSettings) -> list[Condition]:
    tolerance = settings.thresholds.tolerance
    return [
        Condition(f"{lane}: not worse than {model}", not gain.is_worse(tolerance), f"NDCG@10 {gain}")
        for lane in LANES
        if (model := _best_baseline(measures, lane))
        and (gain := differences.difference(measures, own, model, lane, settings.evaluation))
    ]


def _against_champion(measures: pa.Table, own: str, settings: GateSettings) -> list[Condition]:
    tolerance = settings.thresholds.tolerance
    gains = differences.differences(measures, own, CHAMPION, settings.evaluation)
    return [
        Condition(f"{lane}: no worse than the champion", not gain.may_be_worse(tolerance), f"NDCG@10 {gain}")
        for lane, gain in gains.items()
    ]


def _costs_of_weight(costs: Mapping[str, Difference], settings: GateSettings) -> list[Condition]:
    most = settings.product_weight.most_lost
    return [
        Condition(f"{lane}: weight costs no more than allowed", not cost.is_worse(most), f"NDCG@10 {cost}")
        for lane, cost in costs.items()
    ]


def _on_new_orders(since: pa.Table | None, settings: GateSettings) -> list[Condition]:
    thresholds = settings.thresholds
    gains = differences.differences(since, CHALLENGER, CHAMPION, settings.evaluation) if since else {}
    return [
        Condition(
            f"{lane}: not worse than the champion on new orders",
            not gain.is_worse(thresholds.tolerance),
            f"NDCG@10 {gain}",
        )
        for lane, gain in gains.items()
        if gain.customers >= thresholds.live_customers
    ]


def _with_baselines(
    measures: pa.Table, settled: Settled, settings: GateSettings, loses: Callable[[Difference, float], bool]
) -> Settled:
    """Returns the same challenger, with a baseline for each lane that loses to it."""
    lanes, measured_as = dict(settled.chosen.lanes), dict(settled.measured_as)
    reasons = list(settled.reasons)
    for lane, model in settled.measured_as.items():
        best = _best_baseline(measures, lane)
        gain = differences.difference(measures, model, best, lane, settings.evaluation) if best else None
        if best and gain and loses(gain, settings.thresholds.tolerance):
            lanes[lane] = measured_as[lane] = best
            reasons.append(f"{lane}: {best} answers it, since the chosen component has NDCG@10 {gain}")
    # A ranker that answers no lane need not be trained.
    ranker = settled.chosen.ranker if "ranker" in lanes.values() else None
    chosen = settled.chosen.model_copy(update={"lanes": lanes, "ranker": ranker})
    return replace(settled, chosen=chosen, measured_as=measured_as, reasons=reasons)


def _best_baseline(measures: pa.Table, lane: str) -> str | None:
    """Returns the baseline with the highest NDCG@10 in a lane; None if none was measured there."""
    means = {name: mean for name in BASELINES if (mean := differences.mean(measures, name, lane)) is not None}
    return max(means, key=lambda name: means[name]) if means else None
