"""What a night says of itself in the terminal."""

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
from pipelines.gate import conditions
from pipelines.lake import tables
from pipelines.registry import acts as registry_acts
from pipelines.registry import versions as registry
from pipelines.run import pins
from pipelines.run.night import Night
from pipelines.settings import settings
from serving.live.registry import ALIAS
from serving.recommend.recommender import BASELINES, LANES, LEARNED

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
LIVE = f"live_{evaluate.NDCG}_for_you"
LAST = 10  # versions that a status shows


def counts(found: Mapping[str, Any]) -> str:
    """The numbers of a step, in one line."""
    return ", ".join(f"{name} {value:,}" for name, value in found.items() if isinstance(value, int))


def waterfall(checked: Mapping[str, Any]) -> Group:
    """What became of the lines fetched, each row leaving fewer, down to those used; and the warnings."""
    table = Table("order lines", Column(justify="right"), Column("left", justify="right"))
    rows = [(name.replace("_", " "), lines) for name, lines in checked.items() if isinstance(lines, int)]
    (first, fetched), *taken, (last, used) = rows
    table.add_row(first, "", f"{fetched:,}")
    left = fetched
    for name, lines in taken:
        left -= lines
        table.add_row(name, f"-{lines:,}", f"{left:,}")
    table.add_row(last, "", f"{used:,}", style="bold")
    return Group(table, *(Text(f"warning: {one}") for one in checked["warnings"]))


def evaluation(night: Night) -> Group:
    """Each model beside the others on the test window: a table per lane."""
    return lanes(tables.read(pins.own(night, tables.EVALUATION)))


def lanes(judged: pa.Table) -> Group:
    """What was measured of each model: a table per lane."""
    measured = evaluate.summary(judged)
    return Group(*(_lane_table(measured, lane) for lane in LANES))


def verdict(decision: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """The verdict, its reasons, and the version that serves by it."""
    serves = f"version {published['version']} serves" if published["version"] else "the champion serves on"
    told = [f"{decision['verdict']}: {serves}", *(f"  {reason}" for reason in decision["reasons"])]
    if not published["version"]:
        told.append(f"if it is good after all: nightshelf promote {decision['version']} --reason TEXT")
    return "\n".join(told)


def status() -> RenderableType:
    """Who serves, since when and why, what its answers are worth; and the last versions."""
    serving = registry.aliased(ALIAS)
    if serving is None:
        return Text(f"no model yet in the registry at {settings().tracking_uri}: run `nightshelf retrain`")
    version, tags = str(serving.version), serving.tags
    acts = (act for act in registry_acts.acts() if act.data.tags[registry_acts.VERSION] == version)
    told = [f"version {version} serves{_since(next(acts, None))}: {tags.get(registry_acts.REASON, '')}"]
    if LIVE in tags:
        told.append(f"on the orders since its last day it has NDCG@10 {float(tags[LIVE]):.4f} in for-you")
    if held := tags.get(registry.HELD):
        told.append(f"after a rollback ({held}) only what surely beats it follows")
    return Group(*map(Text, told), _versions(registry.versions()[:LAST]))


def history() -> RenderableType:
    """What was promoted, refused and rolled back, the newest first."""
    table = Table("when (UTC)", "act", "version", "before", "reason")
    for act in registry_acts.acts():
        tags, done = act.data.tags, act.info.status == "FINISHED"
        told = (tags[name] for name in (registry_acts.VERSION, registry_acts.BEFORE, registry_acts.REASON))
        name = tags[registry_acts.ACT] + ("" if done else " (broken off)")
        table.add_row(*map(Text, (_when(act), name, *told)))
    return table if table.row_count else "nothing was promoted yet: run `nightshelf retrain`"


def _versions(versions: list[ModelVersion]) -> Table:
    table = Table("version", "alias", "night", "verdict", "for-you", "discover", "reasons")
    aliases = registry.aliases()
    for version in versions:
        tags, own = version.tags, aliases.get(str(version.version), [])
        table.add_row(
            str(version.version),
            ", ".join(own),
            tags.get("as_of", ""),
            tags.get("verdict", "not judged"),
            tags.get("ndcg_at_10_for_you", "")[:6],
            tags.get("ndcg_at_10_discover", "")[:6],
            Text(_reasons(tags)),
            style="bold" if ALIAS in own else None,
        )
    return table


def _reasons(tags: Mapping[str, str]) -> str:
    """Why a version was refused; what let one pass fills no screen."""
    return "; ".join(json.loads(tags.get("reasons", "[]"))) if tags.get("verdict") == "REFUSED" else ""


def _since(act: Run | None) -> str:
    return f" since {_when(act)} UTC" if act else ""


def _when(act: Run) -> str:
    return f"{dt.datetime.fromtimestamp(act.info.start_time / 1000, dt.UTC):%Y-%m-%d %H:%M}"


def _lane_table(measured: Mapping[str, Mapping[str, Mapping[str, float]]], lane: str) -> Table:
    customers = max(
        (int(lanes[lane]["customers"]) for lanes in measured.values() if lane in lanes), default=0
    )
    table = Table(title=f"{lane}: {customers:,} customers of the test window", title_justify="left")
    table.add_column("model")
    headings = HEADINGS | ({evaluate.WEIGHT: "weight@10"} if _weighs(measured, lane) else {})
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for model in sorted(measured, key=ORDER.index):
        found = measured[model].get(lane, {})
        table.add_row(model, *(f"{found[metric]:.4f}" if found else "-" for metric in headings))
    return table


def _weighs(measured: Mapping[str, Mapping[str, Mapping[str, float]]], lane: str) -> bool:
    return any(evaluate.WEIGHT in lanes.get(lane, {}) for lanes in measured.values())
