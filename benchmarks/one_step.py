"""Runs one step of a nightly run on a large demo shop; prints its seconds and its result as JSON.

- `python -m benchmarks.one_step write MILLIONS FOLDER` writes the shop's files;
- `... begin FOLDER` opens a nightly run on the files, and returns it;
- `... STEP NIGHT` runs one step of this run; NIGHT is what `begin` returned.
"""

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from pipelines import nightly
from pipelines.choices import Step
from pipelines.demo import files
from pipelines.demo.shop import Shop
from pipelines.nightly import Json
from pipelines.run.night import Night

MILLION = 1_000_000
START, DAYS = dt.date(2025, 1, 1), 365
LINES_PER_CUSTOMER, LINES_PER_ORDER = 80, 2.87
PRODUCTS = 12_500  # with a million lines; twice as many with four times the lines


def shop(millions: int) -> Shop:
    """Returns a demo shop that sells about `millions` million order lines in a year."""
    lines = millions * MILLION
    return Shop(
        start=START,
        customers=lines // LINES_PER_CUSTOMER,
        products=round(PRODUCTS * millions**0.5),
        orders_per_day=round(lines / DAYS / LINES_PER_ORDER),
    )


def main(name: str, *arguments: str) -> None:
    """Runs `write`, `begin` or a step, and prints seconds and result."""
    started = time.monotonic()
    preparations: dict[str, Callable[..., Json]] = {"write": _write, "begin": _begin}
    run = preparations.get(name)
    result = run(*arguments) if run else _step(name, *arguments)
    print(json.dumps({"seconds": time.monotonic() - started, "result": result}))


def _write(millions: str, folder: str) -> Json:
    size = int(millions)
    return {"lines": files.write(shop(size), size * MILLION, Path(folder))}


def _begin(folder: str) -> Json:
    return nightly.begin(source="files", path=folder, mapping="nightshelf").model_dump(mode="json")


def _step(name: str, night_json: str) -> Json:
    night = Night.model_validate_json(night_json)
    return _sweep(night) if name == "sweep" else nightly.run(cast(Step, name), night)


def _sweep(night: Night) -> Json:
    """Runs one candidate after the other, as `nightshelf retrain` does, and returns their number."""
    return {"candidates": len([nightly.sweep(night, item) for item in nightly.candidates(night)])}


if __name__ == "__main__":
    main(*sys.argv[1:])
