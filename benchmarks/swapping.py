"""Memory of the service while it replaces one champion's bundle with the next."""

import gc
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import psutil

from benchmarks import synthetic
from benchmarks.processes import measure
from serving.bundle.files import load, save
from serving.bundle.format import Bundle

PRODUCTS = 100_000
SAMPLE_SECONDS = 0.002


def compare(folder: Path) -> str:
    """Returns the peak memory during the replacement, in MB and in bundles."""
    save(synthetic.bundle(PRODUCTS), folder / "old")
    shutil.copytree(folder / "old", folder / "new")
    measured = measure([sys.executable, "-m", "benchmarks.swapping", str(folder)], dict(os.environ))
    one_bundle, peak, after = map(float, measured.output.split())
    return (
        "## Replacing the champion\n\n"
        f"Resident memory above that at the start, with mapped files; {PRODUCTS:,} products: one bundle\n"
        f"takes {one_bundle:.0f} MB; while the next bundle is loaded, checked and prepared, the peak is\n"
        f"**{peak:.0f} MB, {peak / one_bundle:.2f} bundles**; afterwards {after:.0f} MB.\n"
    )


class MemoryWatch:
    """Samples the resident memory of this process, in MB above that at the start."""

    def __init__(self) -> None:
        self.process, self.peak = psutil.Process(), 0.0
        self.at_start: int = self.process.memory_info().rss
        threading.Thread(target=self._run, daemon=True).start()

    def now(self) -> float:
        """Returns the current memory."""
        return float(self.process.memory_info().rss - self.at_start) / 1e6

    def _run(self) -> None:
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(SAMPLE_SECONDS)


def _swap(folder: Path) -> None:
    watch = MemoryWatch()
    served = _ready(folder / "old")
    one_bundle = watch.now()
    served = _ready(folder / "new")
    peak = watch.peak
    gc.collect()
    print(one_bundle, peak, watch.now())
    del served


def _ready(folder: Path) -> Bundle:
    bundle = load(folder)
    bundle.precompute()
    bundle.with_arrays()
    return bundle


if __name__ == "__main__":
    _swap(Path(sys.argv[1]))
