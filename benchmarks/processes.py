"""Time and memory of a whole command, its children included."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

NIGHTSHELF = str(Path(sys.executable).with_name("nightshelf"))
GIB = 2**30
EVERY = 0.2


@dataclass(frozen=True)
class Measured:
    """What a command took, and what it printed."""

    seconds: float
    peak_gib: float
    output: str


def resident(process: psutil.Process) -> int:
    """The bytes of a process in memory, with what it shares."""
    return int(process.memory_info().rss)


def measure(
    command: list[str], env: dict[str, str], memory: Callable[[psutil.Process], int] = resident
) -> Measured:
    """Runs a command; its peak is the sum of the memory of it and all its children."""
    started, peak = time.monotonic(), 0
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None:
            peak = max(peak, _of_all(process, memory))
            time.sleep(EVERY)
        output = run.stdout.read() if run.stdout else ""
    if run.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Measured(time.monotonic() - started, peak / GIB, output)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _of_all(process: psutil.Process, memory: Callable[[psutil.Process], int]) -> int:
    try:
        return sum(memory(one) for one in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0
