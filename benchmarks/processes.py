"""Time and memory of a command and all its child processes."""

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
SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Measured:
    """What a command cost, and what it printed."""

    seconds: float
    cpu_seconds: float  # of all its processes; other load on the machine hardly changes it
    peak_gib: float
    output: str


def resident(process: psutil.Process) -> int:
    """Returns the resident memory of a process in bytes, shared pages included."""
    return int(process.memory_info().rss)


def measure(
    command: list[str], env: dict[str, str], memory: Callable[[psutil.Process], int] = resident
) -> Measured:
    """Runs a command and returns its cost; exits with the command's output if it fails.

    memory: returns the bytes of a process. The peak is the highest sum over the command and its children,
    sampled every SAMPLE_SECONDS.
    """
    started, peak, cpu = time.monotonic(), 0, dict[int, float]()
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None:
            sample = _sample(process, memory)
            peak = max(peak, sum(size for size, _ in sample.values()))
            cpu |= {pid: seconds for pid, (_, seconds) in sample.items()}
            time.sleep(SAMPLE_SECONDS)
        output = run.stdout.read() if run.stdout else ""
    if run.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Measured(time.monotonic() - started, sum(cpu.values()), peak / GIB, output)


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine on which nothing listens."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _sample(process: psutil.Process, memory: Callable[[psutil.Process], int]) -> dict[int, tuple[int, float]]:
    """Returns bytes and processor seconds of a process and all its children, by process id."""
    try:
        return {
            member.pid: (memory(member), member.cpu_times().user + member.cpu_times().system)
            for member in (process, *process.children(recursive=True))
        }
    except psutil.Error:
        return {}
