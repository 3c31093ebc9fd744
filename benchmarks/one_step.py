"""One step of a night on a large demo shop, in this process: what it answers and its seconds, as JSON.

`python -m benchmarks.one_step write MILLIONS FOLDER` writes the shop's files, `... begin FOLDER` begins a
night on them and answers with it, `... STEP NIGHT` does one step of that night.
"""

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pipelines import nightly
from pipelines.demo import files
from pipelines.demo.shop import Shop
from pipelines.run.night import Night

MILLION = 1_000_000
START, DAYS = dt.date(2025, 1, 1), 365
LINES_A_CUSTOMER, LINES_AN_ORDER = 80, 2.87
PRODUCTS = 12_500  # of a million lines, and twice as many of four times the lines


def shop(millions: int) -> Shop:
    """The demo shop, so large that it sells about so many million lines in a year."""
    lines = millions * MILLION
    return Shop(
        start=START,
        customers=lines // LINES_A_CUSTOMER,
        products=round(PRODUCTS * millions**0.5),
        orders_per_day=round(lines / DAYS / LINES_AN_ORDER),
    )


def _write(millions: str, folder: str) -> dict[str, Any]:
    asked = int(millions)
    return {"lines": files.write(shop(asked), asked * MILLION, Path(folder))}


def _begin(folder: str) -> dict[str, Any]:
    return nightly.begin(source="files", path=folder, mapping="nightshelf").model_dump(mode="json")


def _sweep(night: Night) -> dict[str, Any]:
    """As `nightshelf retrain` does it: one candidate after the other."""
    return {"candidates": len([nightly.sweep(night, one) for one in nightly.candidates(night)])}


def _step(name: str, night: str) -> dict[str, Any]:
    begun = Night.model_validate_json(night)
    return _sweep(begun) if name == "sweep" else nightly.run(cast(nightly.Step, name), begun)


def main(name: str, *arguments: str) -> None:
    """Does what is asked for, and prints it."""
    started = time.monotonic()
    known: dict[str, Callable[..., dict[str, Any]]] = {"write": _write, "begin": _begin}
    answer = known[name](*arguments) if name in known else _step(name, *arguments)
    print(json.dumps({"seconds": time.monotonic() - started, "answer": answer}))


if __name__ == "__main__":
    main(*sys.argv[1:])
