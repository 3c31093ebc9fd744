"""The steps of a nightly run: how long each took, and what it produced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from pipelines.report import records, svg
from pipelines.report.figures import Figure, count, duration, elapsed, quantity
from pipelines.report.records import PUBLISHED, STEPS, Record
from pipelines.run import tracking

# What a step produces, and the metric that counts it.
OUTPUTS = {
    "extract": ("new lines", "new_order_lines"),
    "validate": ("lines used", "rows_used"),
    "prepare": ("interactions", "interactions"),
    "backtest_champion": ("customers measured", "live_customers_for_you"),
    "association_rules": ("rules", "rules"),
    "evaluate": ("customers evaluated", "customers_for_you"),
    "smoke": ("answers", "smoke_answers"),
}

# The result in words of the steps that count nothing, from the run's tags.
RESULTS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "register": lambda tags: f"version {tags.get('version', '')}",
    "gate": lambda tags: tags.get("verdict", "").lower(),
    "publish": lambda tags: "new champion" if tags.get("verdict") in PUBLISHED else "champion unchanged",
}


@dataclass(frozen=True)
class Step:
    """A step of the nightly run; state: done, stopped or not reached."""

    name: str
    state: str
    seconds: float = 0.0
    duration: Figure | str = ""
    output: Figure | str = ""
    unit: str = ""
    bar: Markup | str = ""


@dataclass(frozen=True)
class Steps:
    """The section on steps: all of them in order, and a sentence about them."""

    sentence: str
    steps: list[Step]


def steps(record: Record) -> Steps:
    """The section on steps of a nightly run."""
    rows = [_step(record, name) for name in STEPS]
    longest = max((step.seconds for step in rows), default=0.0)
    return Steps(_sentence(rows), [_with_bar(step, longest) for step in rows])


def _step(record: Record, name: str) -> Step:
    if name == "sweep":
        return _sweep(record)
    seconds = elapsed(record.metrics, f"{tracking.SECONDS}{name}")
    unit, metric = OUTPUTS.get(name, ("", ""))
    output = count(record.metrics, metric)
    if seconds is None:
        return Step(name, "stopped" if records.stopped_at(record.run) == name else "not reached")
    if name in RESULTS:
        return Step(name, "done", seconds.value, seconds, RESULTS[name](record.tags))
    return Step(name, "done", seconds.value, seconds, output or "", unit if output else "")


def _sweep(record: Record) -> Step:
    runs = record.candidates
    seconds = sum(run.data.metrics.get(tracking.CANDIDATE_SECONDS, 0.0) for run in runs)
    if records.stopped_at(record.run) == "sweep":
        return Step("sweep", "stopped")
    if not runs:
        return Step("sweep", "not reached")
    return Step("sweep", "done", seconds, duration(seconds), str(len(runs)), "candidates")


def _with_bar(step: Step, longest: float) -> Step:
    width = 100 * step.seconds / longest if longest else 0.0
    bar = svg.drawing(6, f"{step.name} took {duration(step.seconds)}", [svg.rect(0, 0, width, 6, "bar")])
    return replace(step, bar=bar)


def _sentence(steps: list[Step]) -> str:
    done = [step for step in steps if step.state == "done"]
    if not done:
        return "No step finished."
    total, longest = sum(step.seconds for step in done), max(done, key=lambda step: step.seconds)
    most = f"most of it in {longest.name} ({duration(longest.seconds)})"
    stopped = [step.name for step in steps if step.state == "stopped"]
    missed = sum(step.state == "not reached" for step in steps)
    if stopped:
        end = f", and {quantity(missed, 'step was', 'steps were')} not reached" if missed else ""
        return f"The nightly run stopped in {stopped[0]}; the steps before it took {duration(total)}{end}."
    if missed:
        end = f"{quantity(missed, 'step was', 'steps were')} not reached"
        return f"{quantity(len(done), 'step')} took {duration(total)}, {most}; {end}."
    return f"The steps took {duration(total)}, {most}."
