"""Opens a bundle for the first time in a process of its own, where a crash leaves the service alone."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt

from serving.bundle.files import load
from serving.bundle.format import Bundle
from serving.errors import BundleError
from serving.live.identity import rule_of
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import recommend
from serving.recommend.related import similar
from serving.settings import PROJECT

SECONDS = 300  # for a bundle of a million products on a busy machine
REFUSED = 3  # exit status of the process if it reports why the bundle is unusable


def try_out(folder: Path) -> None:
    """Opens the bundle of a folder in a child process, which also answers requests with it.

    Raises BundleError if the bundle is unusable, or if the child crashes or takes too long.
    """
    command = [sys.executable, "-m", __name__, str(folder.resolve())]
    try:
        child = subprocess.run(  # noqa: S603 - this Python and a path of ours
            command, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"opening it takes more than {SECONDS} s: promote another version") from None
    if child.returncode == REFUSED:
        raise BundleError(child.stdout.strip())
    if child.returncode:
        raise BundleError(
            f"opening it ended a process ({_ending(child.returncode)}): promote another version"
        )


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True)  # a request uses the entry as it is


class _Shopper(_Entry):
    customer: str
    recommended: list[str]
    bought: list[str]


class _Shoppers(_Entry):
    cut: str | None
    until: str | None
    popular: list[str]
    shoppers: list[_Shopper] = []


# Far above any setting of ALS; with larger ones its equations can't be solved.
_Weight = Annotated[float, Field(ge=0, le=1e9)]


class _FoldIn(_Entry):
    alpha: _Weight
    penalty: _Weight
    penalty_per_product: _Weight


class _Facts(_Entry):
    """The entries of a manifest that requests use."""

    lanes: dict[Lane, str]
    fold_in: _FoldIn
    recent_days: list[PositiveInt]
    strength: FiniteFloat = 0.0
    forgotten_until: int = 0
    shoppers: _Shoppers | None = None


def warm_up(bundle: Bundle) -> None:
    """Answers one request of every kind; raises BundleError if one fails."""
    known = 0 if len(bundle.customers) else None
    try:
        _check_manifest(bundle)
        bundle.precompute()
        for lane in LANES:
            for customer in (known, None):
                recommend(bundle, customer, lane, n=10)
        similar(bundle, product=0, n=10)
        bundle.with_arrays()  # derives what all copies share before the bundle goes live
    except Exception as error:
        raise BundleError(
            f"it can't answer a test request ({type(error).__name__}): promote another version"
        ) from None


def _check_manifest(bundle: Bundle) -> None:
    json.dumps(bundle.manifest, allow_nan=False)  # an answer holds most of it
    facts = _Facts.model_validate(bundle.manifest)
    if len(facts.recent_days) != len(bundle.recent):
        raise ValueError("recent_days")
    rule_of(bundle.manifest)


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def main(folder: str) -> None:
    """Opens the bundle of a folder, in the child process; ends it with REFUSED if the bundle is unusable."""
    try:
        warm_up(load(Path(folder)))
    except BundleError as error:
        print(error)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main(sys.argv[1])
