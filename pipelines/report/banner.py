"""The verdict on a nightly run in one sentence, and the gate's conditions behind it."""

from dataclasses import dataclass
from typing import Any

from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import records
from pipelines.report.records import PUBLISHED

ICONS = {"FIRST": "◆", "PROMOTED": "▲", "REFUSED": "○", "STOPPED": "✕", "UNFINISHED": "…"}
KINDS = {"FIRST": "good", "PROMOTED": "good", "REFUSED": "warn", "STOPPED": "bad", "UNFINISHED": "warn"}


@dataclass(frozen=True)
class Banner:
    """The verdict on a nightly run; detail: the error message of the step that stopped it, else empty."""

    verdict: str
    sentence: str
    detail: str = ""

    @property
    def icon(self) -> str:
        """A sign that distinguishes the verdict without colour."""
        return ICONS[self.verdict]

    @property
    def kind(self) -> str:
        """The CSS class of the verdict: good, warn or bad."""
        return KINDS[self.verdict]


def banner(run: Run, champion: str = "") -> Banner:
    """The banner of a nightly run; champion: the version that serves now, empty if unknown."""
    verdict = records.verdict(run)
    if verdict == "STOPPED":
        return _stopped(run, champion)
    if verdict == "UNFINISHED":
        return Banner(verdict, f"The nightly run has not finished{_keeps_serving(champion)}.")
    return Banner(verdict, _decided(run, verdict))


def _decided(run: Run, verdict: str) -> str:
    version, previous = run.data.tags.get("version", "?"), run.data.tags.get("against", "")
    reasons = records.gate_reasons(run)
    met = f"it met all {len(reasons)} conditions{_ndcg(run)}"
    if verdict == "FIRST":
        return f"Version {version} is the first model and now serves: {met}."
    if verdict == "PROMOTED":
        return f"Version {version} replaces version {previous}: {met}."
    others = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    serving = f"version {previous} keeps serving" if previous else "no version serves yet"
    return f"The gate refused version {version}, and {serving}: {''.join(reasons[:1])}{others}."


def _ndcg(run: Run) -> str:
    ndcg = run.data.metrics.get(evaluation.flat_name(evaluation.NDCG, "for-you"))
    return "" if ndcg is None else f", with NDCG@10 {ndcg:.3f} in for-you"


def _stopped(run: Run, champion: str) -> Banner:
    step, failure = records.stopped_at(run), records.failure(run)
    where = f"in step {step}" if step else "before it finished"
    if run.data.tags.get("verdict") in PUBLISHED and step == "smoke":
        sentence = f"The nightly run stopped {where}, after it had published its version."
    else:
        sentence = f"The nightly run stopped {where}{_keeps_serving(champion)}."
    return Banner("STOPPED", sentence, failure)


def _keeps_serving(champion: str) -> str:
    return f"; version {champion} keeps serving" if champion else ""


def conditions(decision: dict[str, Any]) -> list[dict[str, Any]]:
    """The gate's conditions from decision.json, those not met first."""
    conditions: list[dict[str, Any]] = decision.get("conditions", [])
    return sorted(conditions, key=lambda condition: bool(condition["met"]))
