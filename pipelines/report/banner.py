"""The verdict in one sentence, and what it rests on."""

from dataclasses import dataclass
from typing import Any

from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import records
from pipelines.report.records import SERVES

ICONS = {"FIRST": "◆", "PROMOTED": "▲", "REFUSED": "○", "STOPPED": "✕", "UNFINISHED": "…"}
KINDS = {"FIRST": "good", "PROMOTED": "good", "REFUSED": "warn", "STOPPED": "bad", "UNFINISHED": "warn"}


@dataclass(frozen=True)
class Banner:
    """What became of a night; more: the words of the step that stopped it, or nothing."""

    word: str
    sentence: str
    more: str = ""

    @property
    def icon(self) -> str:
        """A sign that tells it without colour."""
        return ICONS[self.word]

    @property
    def kind(self) -> str:
        """Whether it is good, warn or bad."""
        return KINDS[self.word]


def banner(run: Run, serving: str = "") -> Banner:
    """The banner of a night's run. serving: the version that serves by now, where that is known."""
    word = records.verdict(run)
    if word == "STOPPED":
        return _stopped(run, serving)
    if word == "UNFINISHED":
        return Banner(word, f"The night has not come to its end{_serves_on(serving)}.")
    return Banner(word, _decided(run, word))


def _decided(run: Run, word: str) -> str:
    version, before = run.data.tags.get("version", "?"), run.data.tags.get("against", "")
    reasons = records.reasons(run)
    met = f"it met all {len(reasons)} conditions{_worth(run)}"
    if word == "FIRST":
        return f"Version {version} is the first model and serves: {met}."
    if word == "PROMOTED":
        return f"Version {version} took the place of version {before}: {met}."
    others = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    serves = f"version {before} serves on" if before else "none serves yet"
    return f"Version {version} was refused and {serves}: {''.join(reasons[:1])}{others}."


def _worth(run: Run) -> str:
    found = run.data.metrics.get(evaluation.flat_name(evaluation.NDCG, "for-you"))
    return "" if found is None else f", with NDCG@10 {found:.3f} in for-you"


def _stopped(run: Run, serving: str) -> Banner:
    step = records.stopped_at(run)
    where = f"in the step {step}" if step else "before its end"
    if run.data.tags.get("verdict") in SERVES and step == "smoke":
        return Banner(
            "STOPPED", f"The night stopped {where}, after its version was published.", records.reason(run)
        )
    return Banner("STOPPED", f"The night stopped {where}{_serves_on(serving)}.", records.reason(run))


def _serves_on(serving: str) -> str:
    return f"; version {serving} serves on" if serving else ""


def conditions(decision: dict[str, Any]) -> list[dict[str, Any]]:
    """What the gate asked for, what wasn't met first."""
    found: list[dict[str, Any]] = decision.get("conditions", [])
    return sorted(found, key=lambda one: bool(one["met"]))
