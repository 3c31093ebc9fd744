"""Runs one nightly run of `gate_nights` in its own process, to be killed: python one_night.py SEED NUMBER."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from gate_nights import run, world

if __name__ == "__main__":
    seed, number = map(int, sys.argv[1:])
    print("begins", flush=True)
    print(run(world(seed, nights=1), number, seed)[0]["verdict"], flush=True)
