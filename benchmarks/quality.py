"""NDCG@10 of the settings that the default sweep chooses on Online Retail II, next to baselines."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.prepare import interactions

DAYS_BACK = (0, 28, 56, 84)  # days from the end of the test window to the last day of the data
LANES = ("for-you", "discover")
BASELINES = {"for-you": "repurchase", "discover": "trend"}  # the best baseline of each lane
REQUIRED = {"for-you": 0.37, "discover": 0.145}
LABELS = {
    "popularity": "popularity, all time",
    "popularity-28d": "popularity, last 28 days",
    "trend": "trend: recent buyers weigh more",
    "als-plain": "ALS on plain counts",
    "ease": "EASE",
    "repurchase": "re-purchase, decayed",
    "als": "ALS with the settings that the sweep chose",
    "champion": "**the components that the sweep chose to serve**",
}


@dataclass(frozen=True)
class Month:
    """The results on one test window."""

    lanes: Mapping[str, str]  # the component that the sweep chose for each lane
    measures: pa.Table  # of the chosen settings and the baselines, in the columns of `evaluate.names.SCHEMA`
    seconds: float


def compare(home: Path) -> str:
    """Returns the tables of quality.md, on the lake that a nightly run has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    months = {days: _evaluate(days) for days in DAYS_BACK}
    last = months[0]
    gains = "".join(_gains(days, month) for days, month in months.items())
    components = ", ".join(f"{lane} by {component}" for lane, component in last.lanes.items())
    return (
        "The data is Online Retail II. For each test window of 28 days, the default sweep chose settings on\n"
        "the 28 days before the window, as in a nightly run. The settings were then fitted on everything\n"
        "before the window and measured on it. What the sweep doesn't vary, such as the ranker's features,\n"
        "was decided on the windows 28 and 56 days back. NDCG@10 is over the whole catalogue of products\n"
        "sold before the cut, for customers with a purchase on both sides of the cut.\n\n"
        f"## The last 28 days\n\n{_table(last.measures)}\n"
        f"Required: {REQUIRED['for-you']} for for-you and {REQUIRED['discover']} for discover.\n"
        f"Lanes are answered by: {components}.\n"
        f"The sweep and these fits took {last.seconds:.0f} s.\n\n"
        "## The months before\n\n"
        "| days back | lane | NDCG@10 | baseline | gain, 95 % interval | customers |\n"
        "|---|---|---|---|---|---|\n"
        f"{gains}"
    )


def _evaluate(days_back: int) -> Month:
    """Runs the sweep before a test window, and measures its choice and the baselines on the window."""
    from pipelines import evaluate
    from pipelines.compare import models
    from pipelines.evaluate import settings, windows
    from pipelines.evaluate.night_data import NightData
    from pipelines.lake import tables
    from pipelines.sweep import choice, space, trial

    started = time.monotonic()
    products, evaluation = tables.read(tables.PRODUCTS), settings.load()
    whole = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    last = int(whole.day.max()) - days_back
    known = whole.where(whole.day <= last)
    cut = windows.windows(known, interactions.date_of(last), evaluation.horizon_days)
    data = NightData(known, products, cut)
    trials = [
        (candidate, trial.run(data, candidate, evaluation.folds, "auto").metrics)
        for candidate in space.candidates("default")
    ]
    chosen = choice.choose(trials)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    measures = evaluate.known_only(models.evaluate_models(before, truth, products, chosen, "auto"))
    return Month(chosen.lanes, measures, time.monotonic() - started)


def _table(measures: pa.Table) -> str:
    from pipelines import evaluate

    means = evaluate.summary(measures)
    rows = "".join(
        f"| {label} | {' | '.join(f'{means[model][lane][evaluate.NDCG]:.4f}' for lane in LANES)} |\n"
        for model, label in LABELS.items()
    )
    customers = int(means["champion"]["for-you"][evaluate.CUSTOMERS])
    return f"{customers:,} customers.\n\n| | for-you | discover |\n|---|---|---|\n{rows}"


def _gains(days_back: int, month: Month) -> str:
    """Returns a row per lane: the chosen component's gain over the lane's baseline."""
    from pipelines.evaluate import differences, settings
    from pipelines.gate import conditions

    gains = {
        lane: differences.difference(month.measures, conditions.CHAMPION, baseline, lane, settings.load())
        for lane, baseline in BASELINES.items()
    }
    return "".join(
        f"| {days_back} | {lane} ({month.lanes[lane]}) | {gain.reference + gain.mean:.4f} |"
        f" {BASELINES[lane]} {gain.reference:.4f} |"
        f" {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] | {gain.customers:,} |\n"
        for lane, gain in gains.items()
        if gain
    )
