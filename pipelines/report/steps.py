"""The steps of the night: how long each took, and how much came out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from pipelines.report import records, svg
from pipelines.report.figures import Figure, count, duration, many, took
from pipelines.report.records import SERVES, STEPS, Record
from pipelines.run import tracking

# What a step made, and the metric that counts it.
MADE = {
    "extract": ("new lines", "new_order_lines"),
    "validate": ("lines used", "rows_used"),
    "prepare": ("interactions", "interactions"),
    "live": ("customers asked", "live_customers_for_you"),
    "rules": ("rules", "rules"),
    "evaluate": ("customers judged", "customers_for_you"),
    "smoke": ("answers", "smoke_answers"),
}

# And of those that count nothing, what they came to.
SAYS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "register": lambda tags: f"version {tags.get('version', '')}",
    "gate": lambda tags: tags.get("verdict", "").lower(),
    "publish": lambda tags: "nothing moved" if tags.get("verdict") not in SERVES else "the champion moved",
}


@dataclass(frozen=True)
class Stage:
    """A step: whether it is done, stopped or was not reached; its seconds and what it made."""

    name: str
    state: str
    seconds: float = 0.0
    took: Figure | str = ""
    made: Figure | str = ""
    unit: str = ""
    bar: Markup | str = ""


@dataclass(frozen=True)
class Stages:
    """All steps, and the sentence about them."""

    sentence: str
    steps: list[Stage]


def stages(record: Record) -> Stages:
    """The strip of a night's steps."""
    found = [_stage(record, name) for name in STEPS]
    longest = max((one.seconds for one in found), default=0.0)
    return Stages(_sentence(found), [_with_bar(one, longest) for one in found])


def _stage(record: Record, name: str) -> Stage:
    if name == "sweep":
        return _sweep(record)
    spent = took(record.metrics, f"{tracking.SECONDS}{name}")
    unit, metric = MADE.get(name, ("", ""))
    made = count(record.metrics, metric)
    if spent is None:
        return Stage(name, "stopped" if records.stopped_at(record.run) == name else "not reached")
    if name in SAYS:
        return Stage(name, "done", spent.value, spent, SAYS[name](record.tags))
    return Stage(name, "done", spent.value, spent, made or "", unit if made else "")


def _sweep(record: Record) -> Stage:
    runs = record.candidates
    seconds = sum(run.data.metrics.get(tracking.CANDIDATE_SECONDS, 0.0) for run in runs)
    if records.stopped_at(record.run) == "sweep":
        return Stage("sweep", "stopped")
    if not runs:
        return Stage("sweep", "not reached")
    return Stage("sweep", "done", seconds, duration(seconds), str(len(runs)), "candidates")


def _with_bar(stage: Stage, longest: float) -> Stage:
    width = 100 * stage.seconds / longest if longest else 0.0
    bar = svg.drawing(6, f"{stage.name} took {duration(stage.seconds)}", [svg.rect(0, 0, width, 6, "bar")])
    return replace(stage, bar=bar)


def _sentence(found: list[Stage]) -> str:
    done = [one for one in found if one.state == "done"]
    if not done:
        return "No step came to its end."
    total, longest = sum(one.seconds for one in done), max(done, key=lambda one: one.seconds)
    most = f"most of it in {longest.name} ({duration(longest.seconds)})"
    stopped = [one.name for one in found if one.state == "stopped"]
    missed = sum(one.state == "not reached" for one in found)
    if stopped:
        left = f", and {many(missed, 'step was', 'steps were')} not reached" if missed else ""
        return f"The night broke off in {stopped[0]}; what was done before took {duration(total)}{left}."
    if missed:
        return f"{many(len(done), 'step')} took {duration(total)}, {most}; {missed} were not reached."
    return f"The steps took {duration(total)}, {most}."
