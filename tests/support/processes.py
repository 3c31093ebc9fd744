"""Real servers in processes of their own, on free ports of this machine alone."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bundles
import httpx

BIN = Path(sys.executable).parent
SERVE = (BIN / "bentoml", "serve", "serving.service:Nightshelf")
PATIENCE = 90


@dataclass
class Service:
    """A service that is up, whether ready or not."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def environment(home: Path, **settings: object) -> dict[str, str]:
    """The surroundings of a service with a home of its own, and none of this machine's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    own = {"HOME": home, "BENTOML_HOME": home / "bentoml", "NIGHTSHELF_HOME": home}
    quiet = {"BENTOML_DO_NOT_TRACK": True, "MLFLOW_DISABLE_TELEMETRY": "true"}
    given = {f"NIGHTSHELF_{name.upper()}": value for name, value in settings.items()}
    return kept | {name: str(value) for name, value in (own | quiet | given).items()}


@contextlib.contextmanager
def running(command: Sequence[object], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a group of its own, which ends with the block, and whose output is appended to a file."""
    arguments = [str(argument) for argument in command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments, env=env, cwd=log.parent, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def status(url: str) -> int:
    """The status that an address answers with; 0 where nothing listens."""
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return 0


def wait_for(url: str, wanted: int, process: subprocess.Popen[bytes]) -> float:
    """How many seconds it took until an address answered with a status; fails when the program ends."""

    def answered() -> bool:
        assert process.poll() is None, f"it ended with {process.returncode}"
        return status(url) == wanted

    return bundles.until(answered, PATIENCE)


@contextlib.contextmanager
def service(home: Path, command: Sequence[object] = SERVE, **settings: object) -> Iterator[Service]:
    """The service in a home of its own, which the block ends."""
    port, log = free_port(), home / "service.log"
    known = {"customer_key": bundles.KEY, "follow_seconds": 0.5, "serving_port": port}
    with running(command, environment(home, **(known | settings)), log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/livez", 200, process)
        yield Service(url, process, log)
