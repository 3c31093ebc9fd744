"""The service under load, next to its ASGI application under plain uvicorn: request rates, latencies."""

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

from benchmarks import pace
from benchmarks.processes import free_ports
from benchmarks.synthetic import bundle
from serving.bundle import files as bundle_files
from serving.bundle.format import Bundle, texts
from serving.bundle.trees import no_model
from serving.live.identity import pseudonym

SIZES = (5_000, 100_000, 1_000_000)
CONNECTIONS, SECONDS, CUSTOMERS = 8, 10, 2_000
NEW = 50_000  # requests of which none is repeated: more than are sent
GENERATOR = "requests.cjs"
KEY = "a secret of the benchmark"
STARTING = 120  # seconds
FILTERS = "?category=Category%207&n=10"
HALF = 0.5  # of the highest rate; a service should not run at more
LOADTEST = ("npx", "--yes", "loadtest@8")
GENERATE = """
let sent = 0
const paths = {paths}
module.exports = (options, params, request, callback) => {{
  params.path = paths[sent++ % paths.length]
  return request(params, callback)
}}
"""
ALS = {"for-you": "als"}
BIN = Path(sys.executable).parent
Command = tuple[str | Path, ...]
BENTO: Command = (BIN / "bentoml", "serve", "serving.service:Nightshelf")
BARE: Command = (
    BIN / "uvicorn",
    "benchmarks.bare:app",
    "--no-access-log",
    "--log-level",
    "warning",
    "--port",
)


@dataclass(frozen=True)
class Load:
    """What the load generator measured, in requests per second and milliseconds."""

    rate: float
    median: float
    p99: float
    failed: int


def compare(folder: Path) -> str:
    """Returns a table of three shop sizes, with and without the ranker, with and without filters."""
    rows = [row for size in SIZES for row in _rows(size, folder / str(size))]
    return (
        "## The service under load\n\n"
        f"One worker, a bundle of rank 64, {CONNECTIONS} connections of another process (loadtest), which\n"
        "requests `/v1/customers/ID/recommendations`: as fast as it can, then open-loop at half of that\n"
        "rate (at even intervals, whether or not the previous request was answered). No answer is repeated,\n"
        f"except where the same {CUSTOMERS:,} customers are asked again. Milliseconds are rounded up. Plain\n"
        "uvicorn serves the same application without BentoML, edge, metrics and access log.\n\n"
        "| products | for-you answered by | requests/s | relative to plain uvicorn | p50 ms | p99 ms"
        " | at half the rate: p50 ms | p99 ms | failed |\n"
        f"|---|---|---|---|---|---|---|---|---|\n{''.join(rows)}"
    )


def _rows(size: int, folder: Path) -> Iterator[str]:
    ranked = with_pseudonyms(bundle(size))
    lanes = ranked.manifest["lanes"] | ALS
    plain = replace(ranked, ranker=no_model(), manifest=ranked.manifest | {"lanes": lanes})
    for name, served, query, requests in (
        ("ranker", ranked, "", NEW),
        ("ranker, asked again", ranked, "", CUSTOMERS),
        ("ranker, filters", ranked, FILTERS, NEW),
        ("ALS", plain, "", NEW),
        ("ALS, filters", plain, FILTERS, NEW),
    ):
        home = prepare_home(folder / name.replace(" ", "-"), served)
        (home / GENERATOR).write_text(GENERATE.format(paths=_paths(len(served.customers), query, requests)))
        with running(home, BENTO) as url:
            full = _saturate(home, url)
            half = _load(url, home, "--rps", str(int(full.rate * HALF)))
        with running(home, BARE) as url:
            bare = _saturate(home, url)
        pace.note(f"an answer of {size:,} products by {name}", 1 / full.rate)
        yield (
            f"| {size:,} | {name} | {full.rate:.0f} | {full.rate / bare.rate:.2f} | {full.median:.1f}"
            f" | {full.p99:.1f} | {half.median:.1f} | {half.p99:.1f} | {full.failed + half.failed} |\n"
        )


def with_pseudonyms(bundle: Bundle) -> Bundle:
    """Returns the bundle with the pseudonyms of the ids c0, c1, c2, ... as its customers."""
    pseudonyms = sorted(pseudonym(f"c{number}", KEY) for number in range(len(bundle.customers)))
    return replace(bundle, customers=texts(pseudonyms))


def prepare_home(folder: Path, bundle: Bundle) -> Path:
    """Returns the folder as a home whose service serves a bundle without a registry."""
    bundles = folder / ".nightshelf" / "bundles"
    bundles.mkdir(parents=True)
    bundle_files.save(bundle, bundles / "1-0")
    (bundles / "served").write_text(json.dumps({"name": "1-0", "verdict": {}}))
    return folder


def _saturate(home: Path, url: str) -> Load:
    """Returns the load at the highest rate, after some seconds to warm up."""
    _load(url, home, seconds=3)
    return _load(url, home)


@contextmanager
def running(home: Path, command: Command) -> Iterator[str]:
    """Runs a service on a home until the block ends; yields its address once it answers."""
    (port,) = free_ports(1)
    env = os.environ | {
        "NIGHTSHELF_HOME": str(home),
        "NIGHTSHELF_CUSTOMER_KEY": KEY,
        "NIGHTSHELF_SERVING_PORT": str(port),
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    arguments = [*map(str, command), *([str(port)] if command is BARE else [])]
    with (home / "service.log").open("w") as log:
        server = subprocess.Popen(arguments, env=env, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/v1/model", server)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    """Waits until the server answers; raises RuntimeError if it ends, or after STARTING seconds."""
    ends = time.monotonic() + STARTING
    while server.poll() is None and time.monotonic() < ends:
        try:
            if httpx.get(url, timeout=30).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"the server doesn't answer; exit code {server.returncode}")


def _paths(customers: int, query: str, requests: int) -> list[str]:
    """Returns the paths to request: customers from all over the bundle, and no two paths are the same."""
    ids = (number * 7 % customers for number in range(requests))
    # Each round of all customers leaves out another product that doesn't exist.
    return [
        f"/v1/customers/c{customer}/recommendations{query or '?n=10'}&exclude=none-{number // customers}"
        for number, customer in enumerate(ids)
    ]


def _load(url: str, home: Path, *options: str, seconds: int = SECONDS) -> Load:
    """Runs the load generator and returns what it measured."""
    fixed = ("--concurrency", str(CONNECTIONS), "-R", str(home / GENERATOR), "--maxSeconds", str(seconds))
    command = [*LOADTEST, *fixed, "--keepalive", *options, url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # loadtest rounds milliseconds down.
    median, p99 = _last(r"50% +(\d+) ms", output) + 1, _last(r"99% +(\d+) ms", output) + 1
    rate, failed = _last(r"Effective rps: +(\d+)", output), _last(r"Total errors: +(\d+)", output)
    return Load(rate, median, p99, int(failed))


def _last(pattern: str, output: str) -> float:
    """Returns the number in the last match of a pattern, or 0 without a match."""
    matches = re.findall(pattern, output)
    return float(matches[-1]) if matches else 0
