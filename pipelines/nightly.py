"""The wiring of a night: each step reads tables, calls the functions that do the work, writes tables.

A step takes the night and answers with names and counts alone; what it made is in the lake or in
MLflow. So the steps run in one process (`nightshelf retrain`) or each in its own (Airflow).
"""

import datetime as dt
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines import extract as extraction
from pipelines import lake, tracking
from pipelines.extract import pulls
from pipelines.night import Night
from pipelines.progress import Progress, lines
from pipelines.settings import customer_key, settings
from serving.errors import NightshelfError

if TYPE_CHECKING:
    from pipelines.split import Interactions, Windows
    from pipelines.sweep import Chosen

Counts = dict[str, int]
DECISION = "decision"


def begin(
    as_of: str | None = None,
    source: str | None = None,
    path: str | None = None,
    mapping: str | None = None,
    sweep: str | None = None,
    solver: str | None = None,
    full: bool = False,
    let_pass: str | None = None,
) -> Night:
    """The night, settled: what isn't given comes from the settings, the day from the source."""
    from pipelines import sweep as sweeps
    from pipelines.java import check_java

    customer_key()
    check_java()
    chosen = settings()
    kind = source or chosen.source
    asked: dict[str, Any] = {
        "source": kind,
        "path": path or chosen.files_path,
        "mapping": mapping or (chosen.sql_mapping if kind == "sql" else chosen.files_mapping),
        "full": full,
        "let_pass": (let_pass or "").strip(),
        "sweep": sweep or chosen.sweep,
        "solver": solver or chosen.solver,
    }
    sweeps.candidates(asked["sweep"])  # what is asked wrongly stops the night now, not after the extraction
    night = Night.model_validate(asked | {"as_of": _day(as_of) or dt.date.max})
    found = _source(night)
    if not as_of:
        night = night.model_copy(update={"as_of": found.last_day(pulls.since(found))})
    run = tracking.begin(f"night-{night.as_of}", night.model_dump(mode="json", exclude={"run_id", "path"}))
    return night.model_copy(update={"run_id": run})


def extract(night: Night, progress: Progress | None = None) -> Counts:
    """Pulls what is new at the source into raw/; progress is logged unless it is given."""
    return _counted(night, pulls.pull(_source(night), night.as_of, night.full, progress or lines()))


def validate(night: Night) -> dict[str, Any]:
    """Judges lines and night, and writes `orders` and `goods`; raises where the night is bad."""
    from pipelines.validate import step

    return step.validate(night, _source(night))


def prepare(night: Night) -> Counts:
    """Makes `interactions`, `baskets` and `products` of the orders."""
    from pipelines import prepare as preparation
    from pipelines.spark import session

    spark = session()
    orders = lake.read_spark(spark, lake.ORDERS)
    lake.write_spark(lake.INTERACTIONS, preparation.interactions(orders))
    lake.write_spark(lake.BASKETS, preparation.baskets(orders))
    sold = lake.read(lake.ORDERS, [c.PRODUCT])[c.PRODUCT].unique().to_pylist()
    products = preparation.products(lake.read(lake.GOODS), sold)
    lake.write(lake.PRODUCTS, products)
    rows = lake.read(lake.INTERACTIONS)
    tracking.log_table(night.run_id, "interactions", rows, lake.current(lake.INTERACTIONS))
    found = {"interactions": rows.num_rows, "customers": len(rows[c.CUSTOMER].unique())}
    baskets = lake.read(lake.BASKETS, [c.ORDER_ID]).num_rows
    placeholders = pc.sum(products[c.PLACEHOLDER]).as_py()
    return _counted(
        night, found | {"baskets": baskets, "catalogue": products.num_rows, "placeholders": placeholders}
    )


def candidates(night: Night) -> list[dict[str, Any]]:
    """What the sweep tries, by name."""
    from pipelines import sweep as sweeps

    return [candidate.model_dump(mode="json") for candidate in sweeps.candidates(night.sweep)]


def sweep(night: Night, candidate: dict[str, Any]) -> dict[str, Any]:
    """Trains one candidate on what came before the validation window and measures it there."""
    from pipelines import evaluate as evaluation
    from pipelines import sweep as sweeps
    from pipelines.train.bundle import attempt

    tried = sweeps.Candidate.model_validate(candidate)
    known, products, cut = _known(night)
    started = time.monotonic()
    bundle = attempt(known.until(cut.train), products, tried, night.solver)
    seconds = time.monotonic() - started
    truth = known.bought(cut.train, cut.validation)
    judged = evaluation.evaluate(bundle, truth, tried.name, tried.component)
    metrics = evaluation.flat(evaluation.summary(judged).get(tried.name, {})) | {"fit_seconds": seconds}
    tracking.log_child(night.run_id, tried.name, tried.model_dump_json(), tried.params(), metrics)
    return {"name": tried.name} | {name: round(value, 4) for name, value in metrics.items() if "ndcg" in name}


def rules(night: Night) -> Counts:
    """Mines association rules from the baskets."""
    from pipelines import sweep as sweeps
    from pipelines.spark import session
    from pipelines.train import rules as association

    found = association.mine(lake.read_spark(session(), lake.BASKETS), sweeps.load().rules)
    return _counted(night, {"rules": lake.write(lake.RULES, found)})


def evaluate(night: Night) -> dict[str, Any]:
    """Judges the sweep's choice, the baselines and the champion's settings on the test window."""
    from pipelines import evaluate as evaluation
    from pipelines import gate, registry
    from pipelines import sweep as sweeps
    from pipelines.train import rules as association
    from pipelines.train.bundle import learn, reopened
    from serving.recommender import BASELINES

    chosen = sweeps.choose(_tried(night))
    known, products, cut = _known(night)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    silent = association.none(len(known.products))
    challenger = reopened(learn(before, products, chosen, silent, night.solver))
    judged = [evaluation.evaluate(challenger, truth, gate.CHALLENGER)]
    judged += [evaluation.evaluate(challenger, truth, name, name) for name in (*BASELINES, "als")]
    if champion := registry.champion():
        other = learn(before, products, champion.chosen, silent, night.solver)
        judged.append(evaluation.evaluate(other, truth, gate.CHAMPION))
    table = pa.concat_tables(judged)
    lake.write(lake.EVALUATION.format(day=night.as_of), table)
    return _told(night, chosen, evaluation.summary(table))


def gate(night: Night) -> dict[str, Any]:
    """The verdict, written to MLflow with its reasons."""
    from pipelines import gate as gates
    from pipelines import registry
    from pipelines import sweep as sweeps

    judged = lake.read(lake.EVALUATION.format(day=night.as_of))
    decision = gates.decide(judged, _chosen(night).lanes, sweeps.load(), registry.champion() is not None)
    told = {"verdict": decision.verdict, "reasons": decision.reasons, "lanes": decision.lanes}
    tracking.log(night.run_id, tags={"verdict": decision.verdict, DECISION: json.dumps(told)})
    tracking.client().log_dict(night.run_id, told, "decision.json")
    return told


def publish(night: Night) -> dict[str, Any]:
    """Refits the accepted settings on everything and makes that bundle the champion; nothing if refused."""
    from pipelines import publish as publishing
    from serving.registry import BUNDLE

    decision = json.loads(tracking.tag(night.run_id, DECISION) or "{}")
    if decision.get("verdict") == "REFUSED":
        return {"version": None}
    chosen = _chosen(night).model_copy(update={"lanes": decision["lanes"]})
    known, products, cut = _known(night)
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside) / BUNDLE.name
        publishing.write(known.until(cut.test), products, chosen, night, decision, folder)
        return {"version": publishing.publish(folder, chosen, night, decision)}


def smoke(night: Night) -> dict[str, Any]:
    """Asks what was published a few questions, and ends the night's run."""
    from pipelines import publish as publishing

    answered = publishing.smoke()
    tracking.log(night.run_id, metrics=answered)
    tracking.end(night.run_id)
    return answered


def fail(night: Night, reason: str) -> None:
    """Ends the night's run as failed, with the reason."""
    tracking.end(night.run_id, reason)


def _day(as_of: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise NightshelfError(f"as-of {as_of!r} is no date: write it as 2026-01-31") from None


def _source(night: Night) -> extraction.Source:
    return extraction.source(night.source, night.path, night.mapping)


def _counted(night: Night, counts: Counts) -> Counts:
    tracking.log(night.run_id, metrics=counts)
    return counts


def _known(night: Night) -> "tuple[Interactions, pa.Table, Windows]":
    from pipelines import split
    from pipelines import sweep as sweeps

    products = lake.read(lake.PRODUCTS)
    known = split.interactions(lake.read(lake.INTERACTIONS), products[c.PRODUCT].to_pylist())
    return known, products, split.windows(known, night.as_of, sweeps.load().evaluation.horizon_days)


def _tried(night: Night) -> list[Any]:
    """The night's candidates with what the sweep measured of them."""
    from pipelines import evaluate as evaluation
    from pipelines import sweep as sweeps

    return [
        (
            sweeps.Candidate.model_validate_json(run.data.tags[tracking.CANDIDATE]),
            evaluation.by_lane(run.data.metrics),
        )
        for run in tracking.children(night.run_id)
    ]


def _told(night: Night, chosen: "Chosen", measured: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Writes choice and measures of a night to MLflow; the challenger's carry the plain names."""
    from pipelines import evaluate as evaluation
    from pipelines import gate
    from pipelines import sweep as sweeps

    metrics = evaluation.flat(measured.get(gate.CHALLENGER, {}))
    for model in measured.keys() - {gate.CHALLENGER}:
        found = evaluation.flat(measured[model])
        metrics |= {f"{model}_{name}": value for name, value in found.items() if evaluation.NDCG in name}
    edges = ", ".join(sweeps.edges(chosen.als, night.sweep))
    tags = {"chosen": chosen.model_dump_json(), "edge_of_grid": edges or "none"}
    tracking.log(night.run_id, metrics=metrics, tags=tags)
    tracking.client().log_dict(night.run_id, measured, "evaluation.json")
    return {name: round(value, 4) for name, value in metrics.items() if evaluation.NDCG in name}


def _chosen(night: Night) -> "Chosen":
    from pipelines.sweep import Chosen

    return Chosen.model_validate_json(tracking.tag(night.run_id, "chosen") or "{}")
