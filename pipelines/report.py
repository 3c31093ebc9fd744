"""What a night says of itself in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from pipelines import evaluate, gate, lake, registry
from pipelines.night import Night
from serving.recommender import BASELINES, LANES
from serving.registry import ALIAS

HEADINGS = {
    evaluate.NDCG: "NDCG@10",
    evaluate.RECALL: "recall@10",
    evaluate.PRECISION: "precision@10",
    evaluate.MAP: "MAP@10",
    evaluate.MRR: "MRR",
    evaluate.MPR: "mean percentile rank",
}
ORDER = (gate.CHALLENGER, gate.CHAMPION, *BASELINES, "als")


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
    measured = evaluate.summary(lake.read(lake.EVALUATION.format(day=night.as_of)))
    return Group(*(_lane_table(measured, lane) for lane in LANES))


def verdict(decision: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """The verdict, its reasons, and the version that serves by it."""
    serves = f"version {published['version']} serves" if published["version"] else "the champion serves on"
    return "\n".join([f"{decision['verdict']}: {serves}", *(f"  {reason}" for reason in decision["reasons"])])


def status() -> RenderableType:
    """Who serves, since which night, and why; and the versions before it."""
    table = Table("version", "serves", "night", "verdict", "for-you", "discover", "reason")
    for version in registry.versions():
        tags = version.tags
        table.add_row(
            str(version.version),
            ", ".join(version.aliases),
            tags.get("as_of", ""),
            tags.get("verdict", ""),
            tags.get("ndcg_at_10_for_you", ""),
            tags.get("ndcg_at_10_discover", ""),
            tags.get(registry.REASON, ""),
            style="bold" if ALIAS in version.aliases else None,
        )
    return table if table.row_count else "no model yet: run `nightshelf retrain`"


def _lane_table(measured: Mapping[str, Mapping[str, Mapping[str, float]]], lane: str) -> Table:
    customers = max(
        (int(lanes[lane]["customers"]) for lanes in measured.values() if lane in lanes), default=0
    )
    table = Table(title=f"{lane}: {customers:,} customers of the test window", title_justify="left")
    table.add_column("model")
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right")
    for model in sorted(measured, key=ORDER.index):
        found = measured[model].get(lane, {})
        table.add_row(model, *(f"{found[metric]:.4f}" if found else "-" for metric in HEADINGS))
    return table
