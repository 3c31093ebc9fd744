"""Opens a bundle for the first time in a process of its own, where a crash leaves the service alone."""

import signal
import subprocess
import sys
from pathlib import Path

from serving.bundle.files import load
from serving.bundle.format import Bundle
from serving.errors import BundleError
from serving.live.changes import with_arrays
from serving.recommend.lanes import LANES
from serving.recommend.recommender import recommend
from serving.recommend.related import similar
from serving.settings import PROJECT

SECONDS = 300  # for a bundle of a million products on a busy machine
REFUSED = 3  # exit status of the process if it reports why the bundle is unusable


def try_out(folder: Path) -> None:
    """Opens the bundle of a folder in a child process, which also answers requests with it.

    Raises BundleError if the bundle is unusable, or if the child crashes or takes too long.
    """
    command = [sys.executable, "-m", "serving.live.opening", str(folder.resolve())]
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


def warm_up(bundle: Bundle) -> None:
    """Answers one request of every kind; raises BundleError if one fails."""
    known = 0 if len(bundle.customers) else None
    try:
        bundle.precompute()
        for lane in LANES:
            for customer in (known, None):
                recommend(bundle, customer, lane, n=10)
        similar(bundle, product=0, n=10)
        with_arrays(bundle)  # derives what all copies share before the bundle goes live
    except Exception as error:
        raise BundleError(
            f"it can't answer a test request ({type(error).__name__}): promote another version"
        ) from None


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _main(folder: str) -> None:
    try:
        warm_up(load(Path(folder)))
    except BundleError as error:
        print(error)
        sys.exit(REFUSED)


if __name__ == "__main__":
    _main(sys.argv[1])
