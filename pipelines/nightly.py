"""The wiring of a night: each step reads tables, calls the functions that do the work, writes tables.

A step takes the night and answers with names and counts alone; what it made is in the lake or in
MLflow. So the steps run in one process (`nightshelf retrain`) or each in its own (Airflow).
"""

import datetime as dt
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import pyarrow.compute as pc

from pipelines import columns as c
from pipelines import extract as extraction
from pipelines.extract import events, pulls
from pipelines.lake import tables
from pipelines.privacy import forgotten
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.run.progress import Progress, lines
from pipelines.settings import customer_key, settings
from pipelines.train import recipe
from serving.errors import NightshelfError
from serving.live.changes import FORGOTTEN_UNTIL

Counts = dict[str, int]
P = ParamSpec("P")
R = TypeVar("R")


def timed(step: Callable[Concatenate[Night, P], R]) -> Callable[Concatenate[Night, P], R]:
    """The step whose seconds are a metric of the night's run; where it fails, its name is a tag."""
    name = step.__name__

    @wraps(step)
    def run(night: Night, /, *arguments: P.args, **named: P.kwargs) -> R:
        with tracking.stopping(night.run_id, name):
            started = time.monotonic()
            done = step(night, *arguments, **named)
            tracking.log(night.run_id, metrics={f"{tracking.SECONDS}{name}": time.monotonic() - started})
            return done

    return run


def begin(
    as_of: str | None = None,
    source: str | None = None,
    path: str | None = None,
    mapping: str | None = None,
    sweep: str | None = None,
    solver: str | None = None,
    full: bool = False,
    let_pass: str | None = None,
    dag_run: str | None = None,
) -> Night:
    """The night, settled: what isn't given comes from the settings, the day from the source."""
    from pipelines.lake.java import check_java
    from pipelines.prepare import exclude
    from pipelines.sweep import space

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
        "dag_run": dag_run or "",
    }
    exclude.load()
    space.candidates(asked["sweep"])  # what is asked wrongly stops the night now, not after the extraction
    night = Night.model_validate(asked | {"as_of": _day(as_of) or dt.date.max})
    found = _source(night)
    if not as_of:
        night = night.model_copy(update={"as_of": found.last_day(pulls.last_pull(found))})
    told = night.model_dump(mode="json", exclude={"run_id", "path"})
    run = tracking.begin(f"{tracking.NIGHT}{night.as_of}", told)
    return night.model_copy(update={"run_id": run})


@timed
def extract(night: Night, progress: Progress | None = None) -> Counts:
    """Pulls what is new at the source and at the service into raw/; progress is logged unless it is given.

    Before that the lake forgets whom the shop has forgotten.
    """
    tracking.log(night.run_id, tags={FORGOTTEN_UNTIL: str(forgotten.scrub_pending())})
    counts = pulls.pull(_source(night), night.as_of, night.full, progress or lines())
    return _counted(night, counts | {"purchases_told": events.pull()})


@timed
def validate(night: Night) -> dict[str, Any]:
    """Judges lines and night, and writes `orders` and `goods`; raises where the night is bad."""
    from pipelines.steps import validate as validate_step

    return validate_step.validate(night, _source(night))


@timed
def prepare(night: Night) -> Counts:
    """Makes `interactions`, `baskets`, `groups` and `products` of the orders."""
    from pipelines.lake.spark import session, spread
    from pipelines.prepare import exclude, features

    spark = session()
    spread(spark, tables.dataset(tables.ORDERS).count_rows())
    orders = tables.read_spark(spark, tables.ORDERS)
    tables.write_spark(tables.INTERACTIONS, features.interactions(orders))
    tables.write_spark(tables.BASKETS, features.baskets(orders))
    tables.write_spark(tables.GROUPS, features.groups(orders))
    sold = tables.distinct(tables.ORDERS, c.PRODUCT)
    products = exclude.marked(features.products(tables.read(tables.GOODS), sold), exclude.load())
    tables.write(tables.PRODUCTS, products)
    rows = tables.dataset(tables.INTERACTIONS)
    tracking.log_table(night.run_id, "interactions", rows, tables.current(tables.INTERACTIONS))
    pins.pin(night, tables.INTERACTIONS, tables.BASKETS, tables.GROUPS, tables.PRODUCTS)
    customers = tables.distinct(tables.INTERACTIONS, c.CUSTOMER)
    found = {"interactions": rows.count_rows(), "customers": len(customers)}
    baskets = tables.dataset(tables.BASKETS).count_rows()
    placeholders = pc.sum(products[c.PLACEHOLDER]).as_py()
    found |= {"baskets": baskets, "catalogue": products.num_rows, "placeholders": placeholders}
    return _counted(night, found | {"excluded": pc.sum(products[c.HIDDEN]).as_py()})


def candidates(night: Night) -> list[dict[str, Any]]:
    """What the sweep tries, by name."""
    from pipelines.sweep import space

    return [candidate.model_dump(mode="json") for candidate in space.candidates(night.sweep)]


@timed
def live(night: Night) -> dict[str, Any]:
    """How the champion's answers fared on the orders that came since it was fitted."""
    from pipelines.steps import evaluate as evaluate_step

    return evaluate_step.check_live(night)


def sweep(night: Night, candidate: dict[str, Any]) -> dict[str, Any]:
    """Trains one candidate on what came before the validation window and measures it there."""
    from pipelines import evaluate as evaluation
    from pipelines.sweep import space, trial

    started, tried = time.monotonic(), recipe.Candidate.model_validate(candidate)
    with tracking.stopping(night.run_id, "sweep"):
        found = trial.run(*pins.known(night), tried, space.load().evaluation.folds, night.solver)
    metrics = evaluation.flat(found.metrics, evaluation.FEW) | {"fit_seconds": found.seconds}
    metrics |= {tracking.CANDIDATE_SECONDS: time.monotonic() - started}
    tracking.log_child(night.run_id, tried.name, tried.model_dump_json(), tried.params(), metrics)
    return {"name": tried.name} | {name: round(value, 4) for name, value in metrics.items() if "ndcg" in name}


@timed
def rules(night: Night) -> Counts:
    """Mines association rules from the baskets."""
    from pipelines.lake.spark import session
    from pipelines.sweep import space
    from pipelines.train import association_rules

    baskets = session().read.parquet(pins.path(night, tables.BASKETS))
    mined = association_rules.mine(baskets, space.load().rules)
    tables.write(tables.RULES, mined)
    pins.pin(night, tables.RULES)
    triples = mined.num_rows - mined[c.SECOND_ANTECEDENT].null_count
    return _counted(
        night, {"rules": mined.num_rows, "of_two_products": triples} | association_rules.too_large(baskets)
    )


@timed
def evaluate(night: Night) -> dict[str, Any]:
    """Judges the sweep's choice, the baselines and the champion's settings on the test window."""
    from pipelines.steps import evaluate as evaluate_step

    return evaluate_step.evaluate(night)


@timed
def register(night: Night) -> dict[str, Any]:
    """Fits the challenger on everything and registers it as a new version."""
    from pipelines.steps import evaluate as evaluate_step

    return evaluate_step.register(night)


@timed
def gate(night: Night) -> dict[str, Any]:
    """The verdict on that version, with its reasons."""
    from pipelines.steps import gate as gate_step

    return gate_step.judge(night)


@timed
def publish(night: Night) -> dict[str, Any]:
    """The version that serves from now on, or None where the gate refused it."""
    from pipelines.steps import gate as gate_step

    return gate_step.promote(night)


@timed
def smoke(night: Night) -> dict[str, Any]:
    """Asks what was published a few questions, and ends the night's run."""
    from pipelines.gate import challenger

    answered = challenger.smoke()
    tracking.log(night.run_id, metrics=answered)
    tracking.end(night.run_id)
    return answered


def report(night: Night) -> dict[str, str]:
    """Where the night's report is shown; it is written of a night that was stopped, too."""
    from pipelines.steps import report as report_step

    return {"page": report_step.write(night)}


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
