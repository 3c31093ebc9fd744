"""The registry act: who serves from now on and why, kept on record.

Every act is a run of its own in the experiment `registry`: begun before an alias moves, ended after. An act
that was killed in between is ended by the next one, as far as it came.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from mlflow.entities import Run

from pipelines.registry.versions import HELD, find, find_alias
from pipelines.run import tracking
from pipelines.run.tracking import client
from pipelines.settings import settings
from serving.errors import NightshelfError
from serving.live.registry import ALIAS

PREVIOUS = "previous"
REASON = "reason"
REASON_LETTERS = 1000
ACT, VERSION, BEFORE = "act", "version", "before"
FINISHED, KILLED = "FINISHED", "KILLED"

Act = Literal["FIRST", "PROMOTED", "REFUSED", "BY HAND", "ROLLBACK"]
REFUSED: Act = "REFUSED"
ROLLBACK: Act = "ROLLBACK"


def promote(version: str, reason: str, act: Act = "BY HAND") -> None:
    """Makes a version the champion, and the one that a rollback goes back to the alias `previous`.

    The alias `champion` moves in one step: whoever looks sees the one or the other.
    """
    if not reason.strip():
        raise NightshelfError("a reason is missing: it is what is left to read when somebody asks why")
    name, reason = settings().model_name, reason[:REASON_LETTERS]
    new, old = find(version), find_alias(ALIAS)
    before = str(old.version) if old and old.version != new.version else ""
    with _recorded(act, str(new.version), before, reason):
        client().set_model_version_tag(name, new.version, REASON, reason)
        client().set_model_version_tag(name, new.version, HELD, reason if act == ROLLBACK else "")
        client().set_registered_model_alias(name, ALIAS, new.version)
        _point_previous()


def rollback(to: str | None, reason: str) -> str:
    """The version that serves again: the one asked for, or the one that served before.

    From then on a night promotes only what is surely better, until a person promotes a version.
    """
    _end_interrupted()
    target = to or (str(found.version) if (found := find_alias(PREVIOUS)) else None)
    if target is None:
        raise NightshelfError("no version served before this one: name one with --to")
    promote(target, reason, ROLLBACK)
    return target


def refuse(version: str, reasons: list[str]) -> None:
    """Keeps on record that a version was refused, and why."""
    with _recorded(REFUSED, version, "", "; ".join(reasons)):
        pass


def acts() -> list[Run]:
    """What was promoted, refused and rolled back, the newest first."""
    found: list[Run] = list(
        client().search_runs(
            [tracking.experiment(tracking.REGISTRY_EXPERIMENT)],
            f"tags.model = '{settings().model_name}'",
            order_by=["start_time DESC"],
            max_results=1000,
        )
    )
    return found


@contextmanager
def _recorded(act: Act, version: str, before: str, reason: str) -> Iterator[None]:
    """Keeps an act on record while it is done."""
    _end_interrupted()
    tags = {"model": settings().model_name, ACT: act, VERSION: version, BEFORE: before}
    run = client().create_run(
        tracking.experiment(tracking.REGISTRY_EXPERIMENT),
        run_name=f"{act.lower()} {version}",
        tags=tags | {REASON: reason[: tracking.TAG_LETTERS]},
    )
    yield
    client().set_terminated(run.info.run_id)


def _point_previous() -> None:
    """Gives the alias `previous` to the version below the champion in the line of those that served.

    A rollback takes what it replaced out of the line: the next one goes further back, never forth again.
    """
    line: list[str] = []
    for run in reversed(acts()):
        act, version = run.data.tags[ACT], run.data.tags[VERSION]
        if act == REFUSED or run.info.status == KILLED:
            continue
        line = line[: line.index(version)] if act == ROLLBACK and version in line else line
        line = [*(one for one in line if one != version), version]
    if len(line) > 1:
        client().set_registered_model_alias(settings().model_name, PREVIOUS, line[-2])
    else:
        client().delete_registered_model_alias(settings().model_name, PREVIOUS)


def _end_interrupted() -> None:
    """Ends the acts that were killed: one whose alias moved is done, another never was."""
    serving_now = find_alias(ALIAS)
    champion = str(serving_now.version) if serving_now else ""
    open_acts = [run for run in acts() if run.info.status not in (FINISHED, KILLED)]
    for run in open_acts:
        if run.data.tags[VERSION] != champion:
            client().set_terminated(run.info.run_id, KILLED)
    for run in open_acts:
        if run.data.tags[VERSION] == champion:
            _point_previous()
            client().set_terminated(run.info.run_id, FINISHED)
