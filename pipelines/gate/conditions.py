"""The gate: a model goes live only when it is measured to be no worse than the one that serves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from pipelines.evaluate import NDCG, differences
from pipelines.evaluate.differences import Difference
from pipelines.sweep.space import Chosen, SweepFile
from serving.recommend.recommender import BASELINES, LANES

SWEEP, CHALLENGER, CHAMPION = "sweep", "challenger", "champion"
UNWEIGHTED = "unweighted"  # what serves, but for the weight of products
MAIN = "for-you"
MANY = 100  # customers; the mean of fewer tells little by itself

Verdict = Literal["FIRST", "PROMOTED", "REFUSED"]


@dataclass(frozen=True)
class Settled:
    """What the challenger is: settings to fit, the model whose measures are its own in each lane, and why."""

    chosen: Chosen
    measured_as: dict[str, str]  # by lane
    reasons: list[str]
    is_new: bool  # whether its settings are the sweep's, which then surely beat the champion's


@dataclass(frozen=True)
class Condition:
    """Something that a challenger must be to go live, and what was found."""

    name: str
    met: bool
    told: str


@dataclass(frozen=True)
class Decision:
    """A verdict and its reasons in words."""

    verdict: Verdict
    reasons: list[str]


def settle(judged: pa.Table, choice: Chosen, champion: Chosen | None, sweep: SweepFile) -> Settled:
    """The challenger: the sweep's choice where that is surely better than the champion's settings.

    Else it is the champion's settings on tonight's data, so that noise seldom changes settings. A lane that
    is surely worse than a baseline, for a first model one that may be, is answered by that baseline.
    """
    if champion is None:
        first = Settled(choice, dict.fromkeys(LANES, SWEEP), [], is_new=True)
        return _with_baselines(judged, first, sweep, Difference.may_be_worse)
    gains = differences.differences(judged, SWEEP, CHAMPION, sweep.evaluation)
    sure = sweep.evaluation.model_copy(update={"confidence": sweep.gate.sure})
    surely = differences.differences(judged, SWEEP, CHAMPION, sure)
    told = [f"{lane}: the sweep's choice has NDCG@10 {found}" for lane, found in gains.items()]
    better = any(found.low > 0 for found in surely.values())
    is_new = better and not any(found.may_be_worse(sweep.gate.tolerance) for found in gains.values())
    model, chosen = (SWEEP, choice) if is_new else (CHAMPION, champion)
    verb = "the sweep's are taken" if is_new else "the champion's are kept"
    settled = Settled(chosen, dict.fromkeys(LANES, model), [f"settings: {verb}", *told], is_new)
    return _with_baselines(judged, settled, sweep, Difference.is_worse)


def challenger(judged: pa.Table, settled: Settled) -> pa.Table:
    """The rows of a table of measures that are the challenger's, under its name."""
    return differences.composed(judged, settled.measured_as, CHALLENGER)


def conditions(judged: pa.Table, live: pa.Table | None, sweep: SweepFile) -> list[Condition]:
    """What the measures say of a challenger: against baselines and champion, and on the orders since.

    judged: challenger, baselines and champion on the test window. A challenger whose answers are re-ranked by
    weight is compared as it would be without, and may cost what is allowed. live: the champion as it served,
    and the challenger's settings fitted to what the champion knew, on the orders that came since; None
    without.
    """
    tolerance = sweep.gate.tolerance
    customers = len(differences.by_customer(judged, CHALLENGER, MAIN))
    costs = differences.differences(judged, CHALLENGER, UNWEIGHTED, sweep.evaluation)
    own = UNWEIGHTED if costs else CHALLENGER
    found = [Condition(f"{MAIN}: measured", customers > 0, f"on {customers} customers of the test window")]
    found += [
        Condition(f"{lane}: not surely worse than {model}", not gain.is_worse(tolerance), f"NDCG@10 {gain}")
        for lane in LANES
        if (model := _best_baseline(judged, lane))
        and (gain := differences.difference(judged, own, model, lane, sweep.evaluation))
    ]
    found += [
        Condition(f"{lane}: no worse than the champion", not gain.may_be_worse(tolerance), f"NDCG@10 {gain}")
        for lane, gain in differences.differences(judged, own, CHAMPION, sweep.evaluation).items()
    ]
    most = sweep.business.most_lost
    found += [
        Condition(f"{lane}: weight costs no more than allowed", not cost.is_worse(most), f"NDCG@10 {cost}")
        for lane, cost in costs.items()
    ]
    since = differences.differences(live, CHALLENGER, CHAMPION, sweep.evaluation) if live else {}
    return found + [
        Condition(
            f"{lane}: not surely worse than the champion on the orders since",
            not gain.is_worse(tolerance),
            f"NDCG@10 {gain}",
        )
        for lane, gain in since.items()
        if gain.customers >= sweep.gate.live_customers
    ]


def plausible(
    judged: pa.Table, before: Mapping[str, float], sweep: SweepFile, is_young: bool
) -> list[Condition]:
    """Whether what is measured tonight is near what was measured of the champion on its own night, by lane.

    Data, windows or code that are broken for every model alike show here alone. Of a young champion nearly
    the same days were measured, so that little may be lost.
    """
    most, found = sweep.gate.measured_apart, []
    lost = sweep.gate.measured_lost if is_young else most
    for lane, then in before.items():
        values = differences.of_lane(judged, CHALLENGER, lane)[NDCG].to_numpy()
        if not then or len(values) < MANY:
            continue
        low, high = differences.interval(values, sweep.evaluation)
        told = f"NDCG@10 {values.mean():.4f} [{low:.4f}, {high:.4f}], the champion's was {then:.4f}"
        met = high >= then / lost and low <= then * most
        found.append(
            Condition(
                f"{lane}: near what was measured before",
                met,
                f"{told}, at most {lost:g} times less or {most:g} times more",
            )
        )
    return found


def foretold(live: pa.Table | None, before: Mapping[str, float], sweep: SweepFile) -> list[Condition]:
    """Whether the orders since are such as the champion could foretell: they are learned from too."""
    found = differences.by_customer(live, CHAMPION, MAIN) if live else {}
    if MAIN not in before or len(found) < sweep.gate.live_customers:
        return []
    now, least = sum(found.values()) / len(found), before[MAIN] / sweep.gate.live_apart
    told = f"the champion has NDCG@10 {now:.4f} on them, at least {least:.4f} is to be expected of its"
    return [Condition("orders since are like those before", now >= least, f"{told} {before[MAIN]:.4f}")]


def decide(found: list[Condition], has_champion: bool) -> Decision:
    """The verdict: REFUSED with each condition that isn't met, or all that were."""
    failed = [condition for condition in found if not condition.met]
    told = [f"{condition.name}: {condition.told}" for condition in failed or found]
    if failed:
        return Decision("REFUSED", told)
    return Decision("PROMOTED" if has_champion else "FIRST", told)


def _with_baselines(
    judged: pa.Table, settled: Settled, sweep: SweepFile, loses: Callable[[Difference, float], bool]
) -> Settled:
    """The same, but for the lanes that are lost to a baseline: that answers them."""
    lanes, measured_as = dict(settled.chosen.lanes), dict(settled.measured_as)
    reasons = list(settled.reasons)
    for lane, model in settled.measured_as.items():
        best = _best_baseline(judged, lane)
        found = differences.difference(judged, model, best, lane, sweep.evaluation) if best else None
        if best and found and loses(found, sweep.gate.tolerance):
            lanes[lane] = measured_as[lane] = best
            reasons.append(f"{lane}: {best} answers it, what was to answer it has NDCG@10 {found}")
    ranker = settled.chosen.ranker if "ranker" in lanes.values() else None  # none is trained for nothing
    chosen = settled.chosen.model_copy(update={"lanes": lanes, "ranker": ranker})
    return replace(settled, chosen=chosen, measured_as=measured_as, reasons=reasons)


def _best_baseline(judged: pa.Table, lane: str) -> str | None:
    means = {name: mean for name in BASELINES if (mean := differences.mean(judged, name, lane)) is not None}
    return max(means, key=lambda name: means[name]) if means else None
