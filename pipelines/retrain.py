"""A night in one process: the steps of `nightly`, with a progress bar each."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from mlflow.exceptions import MlflowException
from requests import RequestException
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipelines import nightly
from pipelines.report import terminal
from pipelines.run.night import Night
from pipelines.run.progress import Progress as Extraction
from pipelines.run.progress import lines, sentence
from pipelines.settings import settings
from serving.errors import NightshelfError

console = Console()


def retrain(full: bool = False, **asked: str | None) -> dict[str, Any]:
    """The verdict of a night and what its steps counted; raises NightshelfError where a step stops it."""
    night = nightly.begin(full=full, **asked)
    console.print(
        f"the night of {night.as_of}: source {night.source}, sweep {night.sweep}, solver {night.solver}"
    )
    try:
        with _bars() as bars:
            done = _steps(night, bars)
        _report(night)
        return done
    except NightshelfError as error:
        _close(night, str(error))
        _report(night)
        raise
    except (MlflowException, RequestException) as error:  # the latter where it takes no artifact
        cause = getattr(error, "error_code", type(error).__name__)
        raise NightshelfError(
            f"MLflow at {settings().tracking_uri} failed in the middle of the night ({cause}):"
            " the champion serves on; see that it is up and run the night again"
        ) from None
    except BaseException as error:
        _close(night, type(error).__name__)
        if isinstance(error, Exception):  # who ends the night by Ctrl-C waits for nothing more
            _report(night)
        raise


def _close(night: Night, reason: str) -> None:
    with contextlib.suppress(MlflowException):  # what ended the night is told, not that MLflow is down too
        nightly.fail(night, reason)


def _report(night: Night) -> None:
    """Writes the report of a night, also of one that failed; that it can't be written fails no night."""
    try:
        console.print(f"the night's report: {nightly.report(night)['page']}", soft_wrap=True)
    except Exception as error:
        console.print(f"the night's report could not be written ({type(error).__name__})", soft_wrap=True)


def _steps(night: Night, bars: Progress) -> dict[str, Any]:
    told = _step(bars, "extract", lambda bar: nightly.extract(night, _told(bars, bar)))
    told |= (checked := _step(bars, "validate", lambda _: nightly.validate(night)))
    console.print(terminal.waterfall(checked))
    told |= _step(bars, "prepare", lambda _: nightly.prepare(night))
    told |= _step(bars, "live", lambda _: nightly.live(night))
    told |= _step(bars, "sweep", lambda bar: _sweep(night, bars, bar))
    told |= _step(bars, "rules", lambda _: nightly.rules(night))
    told |= _step(bars, "evaluate", lambda _: nightly.evaluate(night))
    told |= _step(bars, "register", lambda _: nightly.register(night))
    decision = _step(bars, "gate", lambda _: nightly.gate(night))
    published = _step(bars, "publish", lambda _: nightly.publish(night))
    console.print(terminal.evaluation(night), terminal.verdict(decision, published))
    told |= _step(bars, "smoke", lambda _: nightly.smoke(night))
    return told | decision | published


def _step(bars: Progress, name: str, work: Callable[[TaskID], dict[str, Any]]) -> dict[str, Any]:
    bar = bars.add_task(name, total=None, counts="")
    started = time.monotonic()
    done = work(bar)
    bars.update(bar, completed=1, total=1, counts=terminal.counts(done))
    if not console.is_terminal:
        console.print(
            f"{name:>9} {time.monotonic() - started:6.1f} s  {terminal.counts(done)}", soft_wrap=True
        )
    return done


def _told(bars: Progress, bar: TaskID) -> Extraction:
    """Progress beside the bar, or as lines where there is no terminal."""
    started = time.monotonic()

    def tell(done: int, known: int, orders: int) -> None:
        told = sentence(done, known, orders, time.monotonic() - started)
        bars.update(bar, completed=done, total=known, counts=told)

    return tell if console.is_terminal else lines(lambda told: console.print(f"{told:>9}", soft_wrap=True))


def _sweep(night: Night, bars: Progress, bar: TaskID) -> dict[str, Any]:
    candidates = nightly.candidates(night)
    for number, candidate in enumerate(candidates, 1):
        nightly.sweep(night, candidate)
        bars.update(bar, completed=number, total=len(candidates))
    return {"candidates": len(candidates)}


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description:>9}", table_column=Column(no_wrap=True, min_width=9)),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}"),
        console=console,
        disable=not console.is_terminal,
    )
