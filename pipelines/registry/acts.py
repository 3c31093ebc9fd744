"""Registry acts: promote, refuse and roll back a version, each recorded with its reason.

Every act is a run in the MLflow experiment `registry`, begun before the alias moves and ended after it. If an
act was killed, the next act completes its record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from mlflow.entities import Run

from pipelines.registry import approvals
from pipelines.registry.versions import HELD, find, find_alias, versions
from pipelines.run import tracking
from pipelines.run.tracking import client
from pipelines.settings import settings
from serving.errors import NightshelfError
from serving.live.registry import ALIAS

PREVIOUS = "previous"
REASON = "reason"
MAX_REASON_LENGTH = 1000  # characters
ACT, VERSION, BEFORE = "act", "version", "before"
FINISHED, KILLED = "FINISHED", "KILLED"

Act = Literal["FIRST", "PROMOTED", "REFUSED", "BY HAND", "ROLLBACK", "DELETED"]
REFUSED: Act = "REFUSED"
ROLLBACK: Act = "ROLLBACK"
DELETED: Act = "DELETED"
BY_GATE: tuple[Act, ...] = ("FIRST", "PROMOTED")


def promote(version: str, reason: str, act: Act = "BY HAND") -> None:
    """Makes a version the champion, and points the alias `previous` at the version for a rollback.

    The alias `champion` moves atomically. A promotion by hand approves the version; one by a nightly run
    needs the gate's approval. Raises NightshelfError without it, if the reason is empty, or if there is no
    such version.
    """
    if not reason.strip():
        raise NightshelfError(
            "the reason is empty: pass one with --reason, so that the record says why the version serves"
        )
    name, reason = settings().model_name, reason[:MAX_REASON_LENGTH]
    new, old = find(version), find_alias(ALIAS)
    check = approvals.require if act in BY_GATE else approvals.approve
    check(new)
    before = str(old.version) if old and old.version != new.version else ""
    with _recorded(act, str(new.version), before, reason):
        client().set_model_version_tag(name, new.version, REASON, reason)
        client().set_model_version_tag(name, new.version, HELD, reason if act == ROLLBACK else "")
        client().set_registered_model_alias(name, ALIAS, new.version)
        _point_previous()


def rollback(to: str | None, reason: str) -> str:
    """Promotes version `to`, or the previous champion if None, and returns its number.

    After a rollback the gate promotes only models that are better with confidence, until a person promotes a
    version. Raises NightshelfError if no version served before, or if it was not approved: its alias may
    have been set by anyone, so a person has to name that version.
    """
    _end_interrupted()
    target = to or _previous()
    promote(target, reason, ROLLBACK)
    return target


def _previous() -> str:
    previous = find_alias(PREVIOUS)
    if previous is None:
        raise NightshelfError(
            "no version served before this one: name one with --to, see `nightshelf history`"
        )
    approvals.require(previous)
    return str(previous.version)


def refuse(version: str, reasons: list[str]) -> None:
    """Records that a version was refused, and why."""
    with _recorded(REFUSED, version, "", "; ".join(reasons)):
        pass


@contextmanager
def deletion(version: str, reason: str) -> Iterator[None]:
    """Records that the block deletes a version, and points the alias `previous` at one that exists."""
    with _recorded(DELETED, version, "", reason):
        yield
        _point_previous()


def acts() -> list[Run]:
    """Returns the MLflow runs that record the acts, the newest first."""
    runs: list[Run] = list(
        client().search_runs(
            [tracking.experiment(tracking.REGISTRY_EXPERIMENT)],
            f"tags.model = '{settings().model_name}'",
            order_by=["start_time DESC"],
            max_results=1000,
        )
    )
    return runs


@contextmanager
def _recorded(act: Act, version: str, before: str, reason: str) -> Iterator[None]:
    """Records an act: its run begins before the block and ends after it."""
    _end_interrupted()
    tags = {"model": settings().model_name, ACT: act, VERSION: version, BEFORE: before}
    run = client().create_run(
        tracking.experiment(tracking.REGISTRY_EXPERIMENT),
        run_name=f"{act.lower()} {version}",
        tags=tags | {REASON: reason[: tracking.MAX_TAG_LENGTH]},
    )
    yield
    client().set_terminated(run.info.run_id)


def _point_previous() -> None:
    """Points the alias `previous` at the champion's predecessor.

    A rollback removes the later versions from the list of champions, so the next rollback goes further back.
    """
    existing = {str(version.version) for version in versions()}
    champions: list[str] = []  # the oldest first
    for run in reversed(acts()):
        act, version = run.data.tags[ACT], run.data.tags[VERSION]
        if act in (REFUSED, DELETED) or run.info.status == KILLED or version not in existing:
            continue
        if act == ROLLBACK and version in champions:
            champions = champions[: champions.index(version)]
        champions = [*(earlier for earlier in champions if earlier != version), version]
    if len(champions) > 1:
        client().set_registered_model_alias(settings().model_name, PREVIOUS, champions[-2])
    else:
        client().delete_registered_model_alias(settings().model_name, PREVIOUS)


def _end_interrupted() -> None:
    """Ends the runs of killed acts: as finished if the alias had moved, else as killed."""
    current = find_alias(ALIAS)
    champion = str(current.version) if current else ""
    open_acts = [run for run in acts() if run.info.status not in (FINISHED, KILLED)]
    for run in open_acts:
        if run.data.tags[VERSION] != champion:
            client().set_terminated(run.info.run_id, KILLED)
    for run in open_acts:
        if run.data.tags[VERSION] == champion:
            _point_previous()
            client().set_terminated(run.info.run_id, FINISHED)
