"""The service under load, beside its own application under bare uvicorn: requests per second, latencies."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from benchmarks.processes import free_ports
from benchmarks.synthetic import bundle
from serving.bundle import files as bundle_files
from serving.bundle.format import Bundle, texts
from serving.bundle.trees import no_model
from serving.live.identity import pseudonym

SIZES = (5_000, 100_000, 1_000_000)
CONNECTIONS, SECONDS, QUESTIONS = 8, 10, 2_000
GENERATOR = "questions.cjs"
KEY = "a secret of the benchmark"
FILTERS = "?category=Category%207&n=10"
HALF = 0.5  # of what saturates: where a service should be run at most
LOADTEST = ("npx", "--yes", "loadtest@8")
GENERATE = """
let asked = 0
const paths = {paths}
module.exports = (options, params, request, callback) => {{
  params.path = paths[asked++ % paths.length]
  return request(params, callback)
}}
"""


@dataclass(frozen=True)
class Load:
    """What a load generator saw, in requests per second and milliseconds."""

    rate: float
    median: float
    p99: float
    failed: int


def compare(folder: Path) -> str:
    """A table over shops of three sizes, with and without the second stage, with filters."""
    rows = [row for size in SIZES for row in _of_size(size, folder / str(size))]
    return (
        "## The service under load\n\n"
        f"One worker, a bundle of rank 64, {CONNECTIONS} connections of another process (loadtest)\n"
        f"that ask `/v1/customers/ID/recommendations` of {QUESTIONS:,} customers. First as fast\n"
        "as they can, then open-loop at half of that rate; one after the other in even\n"
        "steps, whether or not the one before was answered; milliseconds are rounded up.\n"
        "Bare is the same application under uvicorn, without BentoML, edge, metrics and access log.\n\n"
        "| products | asked | requests/s | of bare | p50 ms | p99 ms | at half: p50 ms | p99 ms | failed |\n"
        f"|---|---|---|---|---|---|---|---|---|\n{''.join(rows)}"
    )


def _of_size(size: int, folder: Path) -> Iterator[str]:
    made = _asked_by_name(bundle(size))
    plain = replace(made, ranker=no_model(), manifest=made.manifest | {"lanes": made.manifest["lanes"] | ALS})
    for name, one, query in (
        ("second stage", made, ""),
        ("second stage, filters", made, FILTERS),
        ("ALS", plain, ""),
        ("ALS, filters", plain, FILTERS),
    ):
        place = home(folder / name.replace(" ", "-"), one)
        (place / GENERATOR).write_text(GENERATE.format(paths=_paths(len(one.customers), query)))
        with served(place, BENTO) as url:
            found = _saturated(place, url)
            half = _load(url, place, "--rps", str(int(found.rate * HALF)))
        with served(place, BARE) as url:
            bare = _saturated(place, url)
        yield (
            f"| {size:,} | {name} | {found.rate:.0f} | {found.rate / bare.rate:.2f} | {found.median:.1f}"
            f" | {found.p99:.1f} | {half.median:.1f} | {half.p99:.1f} | {found.failed + half.failed} |\n"
        )


ALS = {"for-you": "als"}
BIN = Path(sys.executable).parent
BENTO = (BIN / "bentoml", "serve", "serving.service:Nightshelf")
BARE = (BIN / "uvicorn", "benchmarks.bare:app", "--no-access-log", "--log-level", "warning", "--port")


def _asked_by_name(made: Bundle) -> Bundle:
    """The same bundle, whose customers have the pseudonyms of the names 0, 1, 2, ..."""
    names = sorted(pseudonym(str(number), KEY) for number in range(len(made.customers)))
    return replace(made, customers=texts(names))


def home(folder: Path, made: Bundle) -> Path:
    """A home whose service goes on with a bundle though its registry holds none."""
    kept = folder / ".nightshelf" / "bundles"
    kept.mkdir(parents=True)
    bundle_files.save(made, kept / "1-0")
    (kept / "served").write_text(json.dumps({"name": "1-0", "verdict": {}}))
    return folder


def _saturated(home: Path, url: str) -> Load:
    """What the load generator sees where it asks as fast as it can, after some seconds of it."""
    _load(url, home, seconds=3)
    return _load(url, home)


@contextmanager
def served(home: Path, command: tuple[object, ...]) -> Iterator[str]:
    """The address of a service of a home, once it answers."""
    (port,) = free_ports(1)
    env = os.environ | {
        "NIGHTSHELF_HOME": str(home),
        "NIGHTSHELF_CUSTOMER_KEY": KEY,
        "NIGHTSHELF_SERVING_PORT": str(port),
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    words = [str(word) for word in (*command, *([port] if command is BARE else []))]
    with (home / "service.log").open("w") as log:
        server = subprocess.Popen(words, env=env, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/v1/model", server)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            if httpx.get(url, timeout=30).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"the server ended with {server.returncode}")


def _paths(customers: int, query: str) -> list[str]:
    """What is asked: the recommendations of customers, all over the bundle."""
    names = (number * 7 % customers for number in range(QUESTIONS))
    return [f"/v1/customers/{name}/recommendations{query}" for name in names]


def _load(url: str, home: Path, *options: str, seconds: int = SECONDS) -> Load:
    asked = ("--concurrency", str(CONNECTIONS), "-R", str(home / GENERATOR), "--maxSeconds", str(seconds))
    command = [*LOADTEST, *asked, "--keepalive", *options, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    def told(pattern: str) -> float:
        found = re.findall(pattern, done.stdout)
        return float(found[-1]) if found else 0

    # It rounds milliseconds down.
    half, most = told(r"50% +(\d+) ms") + 1, told(r"99% +(\d+) ms") + 1
    return Load(told(r"Effective rps: +(\d+)"), half, most, int(told(r"Total errors: +(\d+)")))
