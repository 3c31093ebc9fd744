"""`make run` in a fresh clone, with downloaded packages: seconds until the service's first answer."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks import pace
from benchmarks.processes import free_ports

PROJECT = Path(__file__).parents[1]
SERVERS = ("SHOP", "MLFLOW", "AIRFLOW", "SERVING")
TIMEOUT = 600


def demo_shop(folder: Path) -> str:
    """Returns the seconds from a clone to the first answer, on a quiet machine and on a busy one."""
    installed, alone = _first_answer(folder / "alone")
    with _busy():
        _, beside = _first_answer(folder / "beside")
    pace.note("first answer", alone)
    pace.note("first answer on a busy machine", beside)
    return (
        "## The demo shop, from a clone to the first answer\n\n"
        "`make run`, packages already downloaded, the first night with the sweep `quick`, by Airflow:\n"
        f"**{alone:.0f} s** (allowed: 90 s), of which the environment takes {installed:.0f} s. With a busy\n"
        f"loop for each core beside it: **{beside:.0f} s** (allowed: 150 s).\n"
    )


@contextmanager
def _busy() -> Iterator[None]:
    """A block beside which as many processes as there are cores are always busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


def _first_answer(folder: Path) -> tuple[float, float]:
    """Returns the seconds until the environment of a fresh clone is installed, and until the first answer."""
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(folder)], check=True)
    ports = dict(zip(SERVERS, free_ports(len(SERVERS)), strict=True))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    env = inherited | {f"NIGHTSHELF_{name}_PORT": str(port) for name, port in ports.items()}
    started = time.monotonic()
    run = subprocess.Popen(
        ["make", "run"], cwd=folder, env=env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        installed = _seconds_until((folder / ".venv" / ".installed").exists, started)
        url = f"http://127.0.0.1:{ports['SERVING']}/v1/popular"
        return installed, _seconds_until(lambda: _answers(url), started)
    finally:
        os.killpg(run.pid, signal.SIGINT)
        run.wait()


def _seconds_until(condition: Callable[[], bool], started: float) -> float:
    """Waits for a condition and returns the seconds since `started`; raises TimeoutError after TIMEOUT."""
    while not condition():
        if time.monotonic() - started > TIMEOUT:
            raise TimeoutError(f"`make run` isn't ready after {TIMEOUT} s")
        time.sleep(0.5)
    return time.monotonic() - started


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
