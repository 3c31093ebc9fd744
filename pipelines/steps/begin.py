"""Step `begin`: decides which day the nightly run covers up to, and with which source and settings."""

import datetime as dt
import logging
from typing import Any, Unpack

from pipelines import extract
from pipelines.extract import pulls, raw
from pipelines.lake.java import check_java
from pipelines.prepare import exclude
from pipelines.run import tracking
from pipelines.run.night import Night, RunOptions
from pipelines.settings import customer_key, settings
from pipelines.sweep import space
from pipelines.validate import calendar
from serving.errors import NightshelfError

log = logging.getLogger(__name__)


def run(**options: Unpack[RunOptions]) -> Night:
    """Returns the nightly run, with its run in MLflow opened.

    Options that are missing come from the settings; a missing `as_of` is the last day of the source. Raises
    NightshelfError for a setting or a file that can't be used, so that the run stops before the extraction.
    """
    customer_key()
    _check_key()
    if settings().spark_master:
        check_java()
    defaults = settings()
    kind, as_of = options.get("source") or defaults.source, options.get("as_of")
    values: dict[str, Any] = {
        "source": kind,
        "path": options.get("path") or defaults.files_path,
        "mapping": options.get("mapping") or defaults.mapping_of(kind),
        "full": options.get("full", False),
        "let_pass": (options.get("let_pass") or "").strip(),
        "sweep": options.get("sweep") or defaults.sweep,
        "solver": options.get("solver") or defaults.solver,
        "dag_run": options.get("dag_run") or "",
    }
    exclude.load()
    calendar.load()
    space.candidates(values["sweep"])
    night = Night.model_validate(values | {"as_of": _day(as_of) or dt.date.max})
    orders = extract.source(night.source, night.path, night.mapping)
    if not as_of:
        night = night.model_copy(update={"as_of": orders.last_day(pulls.last_pull(orders))})
    params = night.model_dump(mode="json", exclude={"run_id", "path"})
    return night.model_copy(update={"run_id": tracking.begin(f"{tracking.RUN_PREFIX}{night.as_of}", params)})


def _check_key() -> None:
    """Raises NightshelfError if a new installation has a short customer key; warns if a running one has."""
    if not (weakness := settings().key_weakness):
        return
    if raw.sources():
        log.warning("%s; it can't be changed without losing every known customer", weakness)
        return
    raise NightshelfError(
        f"{weakness}: write a long one with `nightshelf init`, or set it before the first run"
    )


def _day(as_of: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise NightshelfError(f"as-of {as_of!r} is no date: write it as 2026-01-31") from None
