"""Tables and lines for the terminal: results of a nightly run, status and history of the registry."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from pipelines import evaluate
from pipelines.compare import yardsticks
from pipelines.evaluate.summaries import Summary
from pipelines.gate import conditions
from pipelines.gate import settings as gate_settings
from pipelines.lake import tables
from pipelines.registry import acts as registry_acts
from pipelines.registry import approvals
from pipelines.registry import versions as registry
from pipelines.run import pins
from pipelines.run.night import Night
from pipelines.settings import settings
from serving.live.approval import missing
from serving.live.registry import ALIAS
from serving.recommend.lanes import LANES
from serving.recommend.recommender import BASELINES, LEARNED

HEADINGS = {
    evaluate.NDCG: "NDCG@10",
    evaluate.RECALL: "recall@10",
    evaluate.PRECISION: "precision@10",
    evaluate.MAP: "MAP@10",
    evaluate.MRR: "MRR",
    evaluate.MPR: "mean percentile rank",
}
ORDER = (
    *(
        conditions.CHALLENGER,
        conditions.UNWEIGHTED,
        conditions.SWEEP,
        conditions.CHAMPION,
        *BASELINES,
        *LEARNED,
    ),
    *(yardsticks.LATELY, yardsticks.PLAIN, yardsticks.EASE),
)
LIVE_NDCG = f"live_{evaluate.NDCG}_for_you"
STATUS_VERSIONS = 10  # the most versions that `nightshelf status` lists


def counts(results: Mapping[str, Any]) -> str:
    """The integers among a step's results, in one line."""
    return ", ".join(f"{name} {value:,}" for name, value in results.items() if isinstance(value, int))


def waterfall(results: Mapping[str, Any]) -> Group:
    """Order lines from fetched to used, a table row per reason that removes some; then the warnings.

    results: of step validate.
    """
    table = Table("order lines", Column(justify="right"), Column("left", justify="right"))
    rows = [(name.replace("_", " "), lines) for name, lines in results.items() if isinstance(lines, int)]
    (first, fetched), *removed, (last, used) = rows
    table.add_row(first, "", f"{fetched:,}")
    remaining = fetched
    for name, lines in removed:
        remaining -= lines
        table.add_row(name, f"-{lines:,}", f"{remaining:,}")
    table.add_row(last, "", f"{used:,}", style="bold")
    return Group(table, *(Text(f"warning: {warning}") for warning in results["warnings"]))


def evaluation_tables(night: Night) -> Group:
    """All models on the test window: a table per lane."""
    return lane_tables(tables.read(pins.own_table(night, tables.EVALUATION)))


def lane_tables(rows: pa.Table) -> Group:
    """Mean measures of all models: a table per lane; rows: measures by customer."""
    summary = evaluate.summary(rows)
    return Group(*(_lane_table(summary, lane) for lane in LANES))


def verdict(decision: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """The gate's verdict with its reasons, the version that serves, and how to overrule a refusal."""
    version = published["version"]
    serving = f"version {version} serves" if version else "the champion keeps serving"
    lines = [f"{decision['verdict']}: {serving}", *(f"  {reason}" for reason in decision["reasons"])]
    if not version:
        lines.append(f"to publish it nevertheless: nightshelf promote {decision['version']} --reason TEXT")
    return "\n".join(lines)


def status() -> RenderableType:
    """The champion: since when, why, and its NDCG@10 on orders since its fit; then the latest versions."""
    champion = registry.find_alias(ALIAS)
    if champion is None:
        return Text(
            f"no model yet in the registry at {settings().tracking_address}: run `nightshelf retrain`"
        )
    version, tags = str(champion.version), champion.tags
    acts = (act for act in registry_acts.acts() if act.data.tags[registry_acts.VERSION] == version)
    lines = [f"version {version} serves{_since(next(acts, None))}: {tags.get(registry_acts.REASON, '')}"]
    if LIVE_NDCG in tags:
        lines.append(f"on the orders since its fit: NDCG@10 {float(tags[LIVE_NDCG]):.4f} in for-you")
    if reason := tags.get(registry.HELD):
        needed = f"better with confidence {gate_settings.load().thresholds.sure:g}"
        lines.append(f"after the rollback ({reason}), a nightly run replaces it only if {needed}")
    if not approvals.is_approved(champion):
        lines.append(missing(version))
    return Group(*map(Text, lines), _versions(registry.versions()[:STATUS_VERSIONS]))


def history() -> RenderableType:
    """Promotions, refusals and rollbacks, newest first."""
    table = Table("when (UTC)", "act", "version", "before", "reason")
    for act in registry_acts.acts():
        tags, is_done = act.data.tags, act.info.status == "FINISHED"
        cells = (tags[name] for name in (registry_acts.VERSION, registry_acts.BEFORE, registry_acts.REASON))
        name = tags[registry_acts.ACT] + ("" if is_done else " (incomplete)")
        table.add_row(*map(Text, (_when(act), name, *cells)))
    return table if table.row_count else "no version was promoted yet: run `nightshelf retrain`"


def _versions(versions: list[ModelVersion]) -> Table:
    table = Table("version", "alias", "as of", "verdict", "for-you", "discover", "reasons")
    aliases = registry.aliases()
    for version in versions:
        tags, own = version.tags, aliases.get(str(version.version), [])
        table.add_row(
            str(version.version),
            ", ".join(own),
            tags.get("as_of", ""),
            tags.get("verdict", "not decided"),
            tags.get("ndcg_at_10_for_you", "")[:6],
            tags.get("ndcg_at_10_discover", "")[:6],
            Text(_reasons(tags)),
            style="bold" if ALIAS in own else None,
        )
    return table


def _reasons(tags: Mapping[str, str]) -> str:
    """The reasons of a refusal; empty for a promoted version, whose reasons are all conditions."""
    return "; ".join(json.loads(tags.get("reasons", "[]"))) if tags.get("verdict") == "REFUSED" else ""


def _since(act: Run | None) -> str:
    return f" since {_when(act)} UTC" if act else ""


def _when(act: Run) -> str:
    return f"{dt.datetime.fromtimestamp(act.info.start_time / 1000, dt.UTC):%Y-%m-%d %H:%M}"


def _lane_table(summary: Summary, lane: str) -> Table:
    customers = max((int(lanes[lane]["customers"]) for lanes in summary.values() if lane in lanes), default=0)
    table = Table(title=f"{lane}: {customers:,} customers of the test window", title_justify="left")
    table.add_column("model")
    headings = HEADINGS | ({evaluate.WEIGHT: "weight@10"} if _has_weight(summary, lane) else {})
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for model in sorted(summary, key=ORDER.index):
        means = summary[model].get(lane, {})
        table.add_row(model, *(f"{means[metric]:.4f}" if means else "-" for metric in headings))
    return table


def _has_weight(summary: Summary, lane: str) -> bool:
    return any(evaluate.WEIGHT in lanes.get(lane, {}) for lanes in summary.values())
