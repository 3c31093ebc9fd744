"""A nightly run in one process: the steps of `nightly`, with a progress bar each."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Literal, Unpack

from mlflow.exceptions import MlflowException
from requests import RequestException
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipelines import nightly
from pipelines.choices import Step
from pipelines.report import terminal
from pipelines.run import tracking
from pipelines.run.night import Night, RunOptions
from pipelines.run.progress import Progress as Extraction
from pipelines.run.progress import progress_lines, sentence
from pipelines.settings import settings
from serving.errors import NightshelfError

WIDTH = max(map(len, ("association_rules", "backtest_champion")))

console = Console()


def retrain(**options: Unpack[RunOptions]) -> dict[str, Any]:
    """Runs all steps and returns the verdict and what the steps counted.

    options: those of `nightly.begin`. Raises NightshelfError if a step stops the run.
    """
    night = begin(**options)
    try:
        with _bars() as bars:
            results = _steps(night, bars)
        _report(night)
        return results
    except NightshelfError as error:
        _close(night, str(error))
        _report(night)
        raise
    except (MlflowException, RequestException) as error:  # the latter if an artifact can't be uploaded
        cause = getattr(error, "error_code", type(error).__name__)
        raise NightshelfError(
            f"MLflow at {settings().tracking_address} failed in the middle of the nightly run ({cause}): the"
            " champion keeps serving; check that MLflow is up and start the run again"
        ) from None
    except BaseException as error:
        _close(night, type(error).__name__)
        if isinstance(error, Exception):  # not after Ctrl-C, when the process must end at once
            _report(night)
        raise


def begin(**options: Unpack[RunOptions]) -> Night:
    """Opens a nightly run and prints its day, source, sweep and solver."""
    night = nightly.begin(**options)
    console.print(
        f"nightly run of {night.as_of}: source {night.source}, sweep {night.sweep}, solver {night.solver}"
    )
    return night


def run_step(step: Step | Literal["sweep", "report"], run_id: str | None, path: str | None) -> str:
    """Runs one step of a nightly run, the newest unless its id in MLflow is given, and returns its counts.

    path: of the source `files`, since MLflow does not record it. Raises NightshelfError for an unknown run.
    """
    run = tracking.nightly_run(run_id)
    values = run.data.params | {"path": path or settings().files_path, "run_id": run.info.run_id}
    night = Night.model_validate(values)
    if step == "report":
        return str(nightly.report(night)["page"])
    if step != "sweep":
        return terminal.counts(nightly.run(step, night))
    return "\n".join(str(nightly.sweep(night, candidate)) for candidate in nightly.candidates(night))


def _close(night: Night, reason: str) -> None:
    with contextlib.suppress(MlflowException):  # an MLflow that is down must not hide the reason
        nightly.fail(night, reason)


def _report(night: Night) -> None:
    """Writes the night report, also of a run that failed; a report that can't be written fails no run."""
    try:
        console.print(f"night report: {nightly.report(night)['page']}", soft_wrap=True)
    except Exception as error:
        console.print(f"the night report could not be written ({type(error).__name__})", soft_wrap=True)


def _steps(night: Night, bars: Progress) -> dict[str, Any]:
    results = _step(bars, "extract", lambda bar: nightly.extract(night, _progress(bars, bar)))
    results |= (counts := _run(bars, "validate", night))
    console.print(terminal.waterfall(counts))
    results |= _run(bars, "prepare", night)
    results |= _run(bars, "backtest_champion", night)
    results |= _step(bars, "sweep", lambda bar: _sweep(night, bars, bar))
    results |= _run(bars, "association_rules", night)
    results |= _run(bars, "evaluate", night)
    results |= _run(bars, "register", night)
    decision = _run(bars, "gate", night)
    published = _run(bars, "publish", night)
    console.print(terminal.evaluation_tables(night), terminal.verdict(decision, published))
    results |= _run(bars, "smoke", night)
    return results | decision | published


def _run(bars: Progress, step: Step, night: Night) -> dict[str, Any]:
    return _step(bars, step, lambda _: nightly.run(step, night))


def _step(bars: Progress, name: str, work: Callable[[TaskID], dict[str, Any]]) -> dict[str, Any]:
    bar = bars.add_task(name, total=None, counts="")
    started = time.monotonic()
    result = work(bar)
    counts = terminal.counts(result)
    bars.update(bar, completed=1, total=1, counts=counts)
    if not console.is_terminal:
        console.print(f"{name:>{WIDTH}} {time.monotonic() - started:6.1f} s  {counts}", soft_wrap=True)
    return result


def _progress(bars: Progress, bar: TaskID) -> Extraction:
    """Returns a callback that shows progress beside the bar, or prints lines if there is no terminal."""
    started = time.monotonic()

    def show(done: int, known: int, orders: int) -> None:
        counts = sentence(done, known, orders, time.monotonic() - started)
        bars.update(bar, completed=done, total=known, counts=counts)

    if console.is_terminal:
        return show
    return progress_lines(lambda message: console.print(f"{message:>{WIDTH}}", soft_wrap=True))


def _sweep(night: Night, bars: Progress, bar: TaskID) -> dict[str, Any]:
    candidates = nightly.candidates(night)
    for number, candidate in enumerate(candidates, 1):
        nightly.sweep(night, candidate)
        bars.update(bar, completed=number, total=len(candidates))
    return {"candidates": len(candidates)}


def _bars() -> Progress:
    return Progress(
        TextColumn(
            "{task.description:>" + str(WIDTH) + "}", table_column=Column(no_wrap=True, min_width=WIDTH)
        ),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}"),
        console=console,
        disable=not console.is_terminal,
    )
