"""From settled settings to a bundle that can be registered, and the last questions to the one that serves."""

import datetime as dt

import pyarrow as pa
from mlflow.utils.git_utils import get_git_commit

from pipelines import evaluate as evaluation
from pipelines.gate import soundness
from pipelines.lake import tables
from pipelines.prepare.interactions import Interactions
from pipelines.registry import versions
from pipelines.run import pins
from pipelines.run.night import Night
from pipelines.run.tracking import client, tag
from pipelines.sweep import space
from pipelines.train.association_rules import arrays
from pipelines.train.bundle import learn
from serving.bundle.format import Bundle
from serving.errors import NightshelfError
from serving.live.changes import FORGOTTEN_UNTIL
from serving.settings import PROJECT


def fit(night: Night, known: Interactions, products: pa.Table, chosen: space.Chosen) -> Bundle:
    """The bundle of settings fitted on everything known, with the night's rules and groups."""
    manifest = {
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "as_of": str(night.as_of),
        "run_id": night.run_id,
        FORGOTTEN_UNTIL: int(tag(night.run_id, FORGOTTEN_UNTIL) or 0),
        "metrics": measured(night.run_id),
    }
    rules = arrays(pins.read(night, tables.RULES), known.products)
    grouped = pins.read(night, tables.GROUPS)
    return learn(known, products, chosen, rules, night.solver, manifest, grouped=grouped)


def tags(night: Night, chosen: space.Chosen, bundle: Bundle) -> dict[str, str]:
    """What a version remembers of its night: settings, measures, data window, counts, code and DAG run."""
    window, counts = bundle.manifest["window"], bundle.manifest["counts"]
    told = {name: f"{value:.6f}" for name, value in bundle.manifest["metrics"].items()}
    rows = {f"rows_{name}": str(count) for name, count in counts.items()}
    commit = get_git_commit(str(PROJECT)) or ""
    where = {"as_of": str(night.as_of), "dag_run": night.dag_run, "git_commit": commit}
    return {versions.CHOSEN: chosen.model_dump_json(), **window, **rows, **told, **where}


def smoke() -> dict[str, float]:
    """How many answers the champion, as the registry gives it, gave; the slowest in milliseconds.

    Nothing where none serves. Raises NightshelfError where it doesn't answer as it should.
    """
    champion = versions.champion()
    if champion is None:
        return {}  # the gate refused a first model
    version, bundle = champion.version, versions.bundle(champion.version)
    found = soundness.ask(bundle)
    if failed := [one for one in soundness.soundness(bundle, space.load().gate) if not one.met]:
        told = "; ".join(f"{one.name}: {one.told}" for one in failed)
        raise NightshelfError(f"version {version} serves and is not sound ({told}): `nightshelf rollback`")
    return {
        "champion_version": float(version),
        "smoke_answers": float(found.count),
        "smoke_slowest_ms": found.slowest * 1000,
    }


def measured(run_id: str) -> dict[str, float]:
    """The challenger's ranking metrics of a night, from MLflow."""
    found = client().get_run(run_id).data.metrics
    names = evaluation.flat(evaluation.by_lane(found))
    return {name: found[name] for name in names}
