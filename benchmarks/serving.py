"""The service under load, beside its own application under bare uvicorn: requests per second, latencies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import httpx

from benchmarks.processes import free_ports
from benchmarks.synthetic import bundle
from serving import bundle as bundles
from serving.bundle import Bundle, texts
from serving.identity import pseudonym
from serving.trees import none

SIZES = (5_000, 100_000, 1_000_000)
CONNECTIONS, SECONDS, QUESTIONS = 8, 15, 2_000
KEY = "a secret of the benchmark"
FILTERS = "?category=Category%207&n=10"
HALF = 0.5  # of what saturates: where a service should be run at most
AUTOCANNON = ("npx", "--yes", "autocannon@8", "--json", "--no-progress")


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
        f"One worker, a bundle of rank 64, {CONNECTIONS} connections of another process (autocannon)\n"
        f"that ask `/v1/customers/ID/recommendations` of {QUESTIONS:,} customers. First as fast\n"
        "as they can, then open-loop at half of that rate; what comes late counts from when it was due.\n"
        "Bare is the same application under uvicorn, without BentoML, edge, metrics and access log.\n\n"
        "| products | asked | requests/s | of bare | p50 ms | p99 ms | at half: p50 ms | p99 ms | failed |\n"
        f"|---|---|---|---|---|---|---|---|---|\n{''.join(rows)}"
    )


def _of_size(size: int, folder: Path) -> Iterator[str]:
    made = _asked_by_name(bundle(size))
    plain = replace(made, ranker=none(), manifest=made.manifest | {"lanes": made.manifest["lanes"] | ALS})
    for name, one, query in (
        ("second stage", made, ""),
        ("second stage, filters", made, FILTERS),
        ("ALS", plain, ""),
        ("ALS, filters", plain, FILTERS),
    ):
        place = home(folder / name.replace(" ", "-"), one)
        found, half = _loads(place, BENTO, query)
        bare, _ = _loads(place, BARE, query)
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
    bundles.save(made, kept / "1-0")
    (kept / "served").write_text(json.dumps({"name": "1-0", "verdict": {}}))
    return folder


def _loads(home: Path, command: tuple[object, ...], query: str) -> tuple[Load, Load]:
    """What the load generator sees at saturation, and at half of it."""
    with served(home, command) as url:
        questions = _questions(home, url, query)
        _load(url, questions, "--duration", "3")
        most = _load(url, questions, "--duration", str(SECONDS))
        half = _load(url, questions, "--duration", str(SECONDS), "--overallRate", str(int(most.rate * HALF)))
    return most, half


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


def _questions(home: Path, url: str, query: str) -> Path:
    """A file of the requests to make, in HTTP Archive format."""
    names = islice(cycle(range(0, QUESTIONS * 7, 7)), QUESTIONS)
    asked = [f"{url}/v1/customers/{name}/recommendations{query}" for name in names]
    entries = [{"request": {"method": "GET", "url": one, "headers": []}} for one in asked]
    file = home / "questions.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    return file


def _load(url: str, questions: Path, *options: str) -> Load:
    command = [*AUTOCANNON, "--connections", str(CONNECTIONS), "--har", str(questions), *options, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    latency, failed = found["latency"], found["errors"] + found["non2xx"]
    return Load(found["requests"]["average"], latency["p50"], latency["p99"], failed)
