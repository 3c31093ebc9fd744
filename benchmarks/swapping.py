"""What a swap of champions holds in memory: the old bundle and the new one, as the follower loads it."""

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
from serving.live.changes import with_arrays

PRODUCTS = 100_000
EVERY = 0.002  # seconds between two looks at the memory


def compare(folder: Path) -> str:
    """The most memory of a process while it swaps, in bundles."""
    save(synthetic.bundle(PRODUCTS), folder / "old")
    shutil.copytree(folder / "old", folder / "new")
    ran = measure([sys.executable, "-m", "benchmarks.swapping", str(folder)], os.environ)
    one, most, after = map(float, str(ran.output).split())
    return (
        "## A swap\n\n"
        f"Resident memory of a process beyond what it began with, mapped files too; {PRODUCTS:,} products:\n"
        f"one bundle {one:.0f} MB, at most while the next is loaded, checked and prepared beside it\n"
        f"**{most:.0f} MB, {most / one:.2f} bundles**, afterwards {after:.0f} MB.\n"
    )


class Watch:
    """The most memory seen since the last look, in MB beyond what the process began with."""

    def __init__(self) -> None:
        self.process, self.most = psutil.Process(), 0.0
        self.began = self.process.memory_info().rss
        threading.Thread(target=self._run, daemon=True).start()

    def now(self) -> float:
        """What is held now."""
        return (self.process.memory_info().rss - self.began) / 1e6

    def _run(self) -> None:
        while True:
            self.most = max(self.most, self.now())
            time.sleep(EVERY)


def _swap(folder: Path) -> None:
    watch = Watch()
    served = _ready(folder / "old")
    one = watch.now()
    served = _ready(folder / "new")
    most = watch.most
    gc.collect()
    print(one, most, watch.now())
    del served


def _ready(folder: Path) -> Bundle:
    bundle = load(folder)
    bundle.precompute()
    with_arrays(bundle)
    return bundle


if __name__ == "__main__":
    _swap(Path(sys.argv[1]))
