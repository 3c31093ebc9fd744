"""What a night's settings are worth on Online Retail II, and on the months before, beside yardsticks."""

import os
import time
from pathlib import Path

import pyarrow as pa

from pipelines.prepare import interactions
from pipelines.sweep import choice

BACK = (0, 28, 56, 84)  # days that the test window lies before the last
LANES = ("for-you", "discover")
BEATEN = {"for-you": "repurchase", "discover": "trend"}
ASKED = {"for-you": 0.37, "discover": 0.145}
TOLD = {
    "popularity": "popularity, all time",
    "popularity-28d": "popularity, last 28 days",
    "trend": "trend: recent buyers weigh more",
    "als-plain": "ALS on plain counts",
    "ease": "EASE",
    "repurchase": "re-purchase, decayed",
    "als": "ALS, as chosen by the sweep",
    "champion": "**what the sweep chose to serve**",
}


def compare(home: Path) -> str:
    """A page over the lake that a night has left in `home`: one table, and the months before."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    months = {back: _judged(back) for back in BACK}
    chosen, judged, seconds = months[0]
    gains = "".join(_gain(back, *month) for back, month in months.items())
    return (
        "# Quality\n\n"
        "`make bench` wrote this, on Online Retail II. For each test window of 28 days the default sweep\n"
        "chose settings on the 28 days before it, as a night does; they were fitted to all before it\n"
        "and measured on it. What no sweep varies, as the ranker's features, was settled on the windows 28\n"
        "and 56 days back. NDCG@10 over the whole catalogue, of the products sold before the cut, by\n"
        "customers with a purchase on both sides of it.\n\n"
        f"## The last 28 days\n\n{_table(judged)}\n"
        f"Asked: {ASKED['for-you']} and {ASKED['discover']}. Lanes are answered by: {_lanes(chosen)}.\n"
        f"The sweep and these fits took {seconds:.0f} s.\n\n"
        "## The same on the months before\n\n"
        "| days back | lane | NDCG@10 | against | gain, 95 % interval | customers |\n"
        "|---|---|---|---|---|---|\n"
        f"{gains}"
    )


def _judged(back: int) -> tuple[dict[str, str], pa.Table, float]:
    """The lanes that a sweep chose, the measures of its settings beside yardsticks, and seconds."""
    from pipelines import evaluate
    from pipelines.compare import models
    from pipelines.evaluate import settings, windows
    from pipelines.lake import tables
    from pipelines.sweep import space, trial

    started = time.monotonic()
    products, evaluation = tables.read(tables.PRODUCTS), settings.load()
    shop = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    last = int(shop.day.max()) - back
    known = shop.where(shop.day <= last)
    cut = windows.windows(known, interactions.date_of(last), evaluation.horizon_days)
    tried = [
        (one, trial.run(NightData(known, products, cut), one, evaluation.folds, "auto").metrics)
        for one in space.candidates("default")
    ]
    chosen = choice.choose(tried)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    judged = models.evaluate_models(before, truth, products, chosen, "auto")
    return chosen.lanes, evaluate.known_only(judged), time.monotonic() - started


def _table(judged: pa.Table) -> str:
    from pipelines import evaluate

    measured = evaluate.summary(judged)
    rows = "".join(
        f"| {told} | {' | '.join(f'{measured[model][lane][evaluate.NDCG]:.4f}' for lane in LANES)} |\n"
        for model, told in TOLD.items()
    )
    customers = int(measured["champion"]["for-you"][evaluate.CUSTOMERS])
    return f"{customers:,} customers.\n\n| | for-you | discover |\n|---|---|---|\n{rows}"


def _gain(back: int, lanes: dict[str, str], judged: pa.Table, seconds: float) -> str:
    from pipelines.evaluate import differences, settings
    from pipelines.gate import conditions

    found = {
        lane: differences.difference(judged, conditions.CHAMPION, other, lane, settings.load())
        for lane, other in BEATEN.items()
    }
    return "".join(
        f"| {back} | {lane} ({lanes[lane]}) | {gain.reference + gain.mean:.4f} |"
        f" {BEATEN[lane]} {gain.reference:.4f} |"
        f" {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] | {gain.customers:,} |\n"
        for lane, gain in found.items()
        if gain
    )


def _lanes(lanes: dict[str, str]) -> str:
    return ", ".join(f"{lane} by {component}" for lane, component in lanes.items())
