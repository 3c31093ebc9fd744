"""Real servers in processes of their own, on free ports of the loopback interface."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bundles
import httpx
from ports import free_port

from pipelines.stack.environment import MLFLOW

BIN = Path(sys.executable).parent
SERVE = (BIN / "bentoml", "serve", "serving.service:Nightshelf")
LIVE_MESSAGE = "is live"  # in the log line of a worker that has loaded the model
START_SECONDS = 90
# One client, since making one reads all certificates; each request has a connection of its own, so that all
# workers of a service get some.
http = httpx.Client(timeout=5, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Service:
    """A running service, ready or not."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def environment(home: Path, **settings: object) -> dict[str, str]:
    """Returns environment variables for a service with its own home and none of this machine's settings."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    own = {"HOME": home, "BENTOML_HOME": home / "bentoml", "NIGHTSHELF_HOME": home}
    quiet = {"BENTOML_DO_NOT_TRACK": True, "MLFLOW_DISABLE_TELEMETRY": "true", **MLFLOW}
    variables = {f"NIGHTSHELF_{name.upper()}": value for name, value in settings.items()}
    return inherited | {name: str(value) for name, value in (own | quiet | variables).items()}


@contextlib.contextmanager
def running(command: Sequence[object], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program in its own process group until the block ends; its output is appended to a log.

    Where the block fails, the end of the log is printed beside the failure.
    """
    arguments = [str(argument) for argument in command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments, env=env, cwd=log.parent, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    except BaseException:
        print(log.read_text(errors="replace")[-5_000:])
        raise
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def status(url: str) -> int:
    """Returns the status of a GET request, 0 if nothing listens."""
    try:
        return http.get(url).status_code
    except httpx.TransportError:
        return 0


def wait_for(url: str, expected: int, process: subprocess.Popen[bytes]) -> float:
    """Waits until a URL answers with a status, returns the seconds; fails if the program ends."""

    def answered() -> bool:
        assert process.poll() is None, f"the program ended with status {process.returncode}"
        return status(url) == expected

    return bundles.wait_until(answered, START_SECONDS)


@contextlib.contextmanager
def service(home: Path, command: Sequence[object] = SERVE, **settings: object) -> Iterator[Service]:
    """Runs the service in a home of its own until the block ends."""
    port, log = free_port(), home / "service.log"
    defaults = {"customer_key": bundles.KEY, "follow_seconds": 0.5, "serving_port": port}
    with running(command, environment(home, **(defaults | settings)), log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/livez", 200, process)
        yield Service(url, process, log)


@contextlib.contextmanager
def two_workers(home: Path) -> Iterator[Service]:
    """Runs the service and yields it once both workers have the model."""
    log = home / "service.log"
    before = log.read_text().count(LIVE_MESSAGE) if log.exists() else 0
    with service(home, workers=2) as up:
        bundles.wait_until(lambda: log.read_text().count(LIVE_MESSAGE) == before + 2, 60)
        yield up
