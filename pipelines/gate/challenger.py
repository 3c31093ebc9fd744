"""The challenger: the settings that a nightly run settled on, and their bundle, ready to be registered."""

import datetime as dt

import pyarrow as pa
from mlflow.utils.git_utils import get_git_commit

from pipelines import evaluate as evaluation
from pipelines.lake import tables
from pipelines.prepare.interactions import Interactions
from pipelines.privacy import identity_rules
from pipelines.registry import versions
from pipelines.run import pins
from pipelines.run.night import Night
from pipelines.run.tracking import CHOSEN, client, tag
from pipelines.train.association_rules import to_arrays
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import ModelSettings
from pipelines.validate import history
from serving.bundle.format import Bundle
from serving.errors import NightshelfError
from serving.live.changes import FORGOTTEN_UNTIL
from serving.live.identity import IDENTITY, IdentityRule, manifest_entry
from serving.settings import PROJECT


def chosen(night: Night) -> ModelSettings:
    """Returns the settings that the run's challenger is fitted with."""
    return ModelSettings.model_validate_json(tag(night.run_id, CHOSEN) or "{}")


def outdated(serving: str, version: str, compared: str | None) -> NightshelfError:
    """Returns the error for a challenger that was compared with another version than the one that serves."""
    return NightshelfError(
        f"version {serving or 'none'} was promoted while this run was under way, and version {version} was"
        f" compared with {compared or 'none'}: the next nightly run compares anew"
    )


def fit(night: Night, known: Interactions, products: pa.Table, chosen: ModelSettings) -> Bundle:
    """Returns the bundle fitted on all interactions, with association rules and regions of the run."""
    manifest = {
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "as_of": str(night.as_of),
        "run_id": night.run_id,
        IDENTITY: manifest_entry(_rule(night)),
        FORGOTTEN_UNTIL: int(tag(night.run_id, FORGOTTEN_UNTIL) or 0),
        "metrics": read_metrics(night.run_id),
    }
    rules = to_arrays(pins.read(night, tables.RULES), known.products)
    customer_regions = pins.read(night, tables.GROUPS)
    return fit_bundle(
        known, products, chosen, rules, night.solver, manifest, customer_regions=customer_regions
    )


def _rule(night: Night) -> IdentityRule:
    """Returns the rule under which the run's customers have their pseudonyms."""
    return identity_rules.used(tag(night.run_id, history.SOURCE) or "")[-1].rule


def tags(night: Night, chosen: ModelSettings, bundle: Bundle) -> dict[str, str]:
    """Returns the tags of a version: settings, measures, data window, counts, code and DAG run."""
    window, counts = bundle.manifest["window"], bundle.manifest["counts"]
    measures = {name: f"{value:.6f}" for name, value in bundle.manifest["metrics"].items()}
    rows = {f"rows_{name}": str(count) for name, count in counts.items()}
    commit = get_git_commit(str(PROJECT)) or ""
    origin = {"as_of": str(night.as_of), "dag_run": night.dag_run, "git_commit": commit}
    return {versions.CHOSEN: chosen.model_dump_json(), **window, **rows, **measures, **origin}


def read_metrics(run_id: str) -> dict[str, float]:
    """Returns the challenger's ranking metrics of a nightly run, from MLflow."""
    metrics = client().get_run(run_id).data.metrics
    names = evaluation.flatten(evaluation.by_lane(metrics))
    return {name: metrics[name] for name in names}
