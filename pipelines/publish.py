"""From an accepted decision to a bundle that serves."""

import datetime as dt
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines import lake, registry, sweep
from pipelines.night import Night
from pipelines.settings import settings
from pipelines.split import Interactions
from pipelines.tracking import client
from pipelines.train.bundle import learn
from pipelines.train.rules import arrays
from serving import bundle as bundles
from serving import recommender
from serving.bundle import Bundle
from serving.errors import NightshelfError
from serving.registry import opened

ASKED = 20
ANSWERS = 10
SEED = 5


def write(
    known: Interactions,
    products: pa.Table,
    chosen: sweep.Chosen,
    night: Night,
    decision: dict[str, Any],
    folder: Path,
) -> None:
    """Refits the chosen settings on everything known and saves the bundle in a folder."""
    manifest = {
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "as_of": str(night.as_of),
        "run_id": night.run_id,
        "verdict": {"verdict": decision["verdict"], "reasons": decision["reasons"]},
        "metrics": measured(night.run_id),
    }
    rules = arrays(lake.read(lake.RULES), known.products)
    bundles.save(learn(known, products, chosen, rules, night.solver, manifest), folder)


def publish(folder: Path, chosen: sweep.Chosen, night: Night, decision: dict[str, Any]) -> str:
    """The version that now serves; raises NightshelfError, and promotes nothing, as `answer_all` does."""
    bundle = bundles.load(folder)
    answer_all(bundle, sweep.load().gate.answer_seconds)
    metrics = bundle.manifest["metrics"]
    tags = registry.chosen_tags(chosen, decision["verdict"], decision["reasons"], metrics)
    version = registry.register(folder, night.run_id, tags | {"as_of": str(night.as_of)})
    registry.promote(version, f"{decision['verdict']} on the night of {night.as_of}")
    return version


def smoke() -> dict[str, float]:
    """What the champion, as the registry gives it, answers: items, and milliseconds of the slowest answer."""
    version, bundle = opened(settings())
    return answer_all(bundle, sweep.load().gate.answer_seconds) | {"champion_version": float(version)}


def answer_all(bundle: Bundle, budget_seconds: float) -> dict[str, float]:
    """Answers for a stranger and a seeded draw of customers in every lane.

    Raises NightshelfError where an answer that must hold items is empty, or one takes too long.
    """
    rng = np.random.default_rng(SEED)
    asked = rng.choice(len(bundle.customers), min(ASKED, len(bundle.customers)), replace=False)
    slowest, items = 0.0, 0
    for customer in (None, *map(int, asked)):
        for lane in recommender.LANES:
            started = time.perf_counter()
            answer = recommender.recommend(bundle, customer, lane, ANSWERS)
            slowest = max(slowest, time.perf_counter() - started)
            items += len(answer)
            if lane == "for-you" and not answer:
                raise NightshelfError(
                    "the new bundle answers a customer with nothing: the champion serves on"
                )
    if slowest > budget_seconds:
        raise NightshelfError(
            f"an answer of the new bundle takes {slowest * 1000:.0f} ms,"
            f" allowed are {budget_seconds * 1000:.0f}: the champion serves on"
        )
    return {"smoke_items": float(items), "smoke_slowest_ms": slowest * 1000}


def measured(run_id: str) -> dict[str, float]:
    """The challenger's ranking metrics of a night, from MLflow."""
    found = client().get_run(run_id).data.metrics
    names = evaluation.flat(evaluation.by_lane(found))
    return {name: found[name] for name in names}
