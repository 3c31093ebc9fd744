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
    cpu_seconds: float  # of all its processes: what else runs on the machine changes it little
    peak_gib: float
    output: str


def resident(process: psutil.Process) -> int:
    """The bytes of a process in memory, with what it shares."""
    return int(process.memory_info().rss)


def measure(
    command: list[str], env: dict[str, str], memory: Callable[[psutil.Process], int] = resident
) -> Measured:
    """Runs a command; its peak is the sum of the memory of it and all its children."""
    started, peak, cpu = time.monotonic(), 0, dict[int, float]()
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None:
            family = _family(process, memory)
            peak = max(peak, sum(taken for taken, _ in family.values()))
            cpu |= {pid: seconds for pid, (_, seconds) in family.items()}
            time.sleep(EVERY)
        output = run.stdout.read() if run.stdout else ""
    if run.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Measured(time.monotonic() - started, sum(cpu.values()), peak / GIB, output)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _family(process: psutil.Process, memory: Callable[[psutil.Process], int]) -> dict[int, tuple[int, float]]:
    """Memory in bytes and processor seconds of a process and all its children, by their number."""
    try:
        return {
            one.pid: (memory(one), one.cpu_times().user + one.cpu_times().system)
            for one in (process, *process.children(recursive=True))
        }
    except psutil.Error:
        return {}
