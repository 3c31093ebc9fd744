"""Runs supervisord as a child process, which ends with this one, as do the programs that it starts."""

import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pipelines.stack.board import console
from pipelines.stack.programs import Program
from pipelines.stack.waiting import wait_for
from serving.errors import NightshelfError

STOP_SECONDS = 8
START_SECONDS = 30  # a program that ends within them counts as not started
RPC_TIMEOUT = 600  # supervisord answers at once, unless the machine is overloaded
ENDED = ("BACKOFF", "EXITED", "FATAL")

HEAD = """\
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={home}/supervisord.pid
childlogdir={home}/logs

[unix_http_server]
file={socket}

[supervisorctl]
serverurl=unix://{socket}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

; One group, because supervisord stops one group after the other.
[group:nightshelf]
programs={names}
"""

PROGRAM = """
[program:{name}]
command={command}
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
redirect_stderr=true
autostart=false
autorestart=true
startsecs={start_seconds}
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup=true
killasgroup=true
umask=077
"""


@contextmanager
def supervised(
    state: Path, programs: Iterable[Program], environment: Mapping[str, str]
) -> Iterator["Supervisor"]:
    """Yields a supervisor of these programs; when the block ends, they and all their descendants end.

    The logs are in STATE/logs. `supervisorctl -c STATE/supervisor.conf` can be used meanwhile.
    """
    home, programs = state.resolve(), list(programs)
    (home / "logs").mkdir(parents=True, exist_ok=True)
    # Not in STATE, because the path of a socket is limited to 107 characters.
    socket, config = Path(tempfile.mkdtemp(prefix="nightshelf-"), "supervisor.sock"), home / "supervisor.conf"
    config.write_text(_config(programs, home, socket))
    process = _launch(config, socket.parent, environment, home / "logs" / "supervisord.log")
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=RPC_TIMEOUT) as rpc:
            wait_for(lambda: socket.exists() or process.poll() is not None, "the supervisor to start")
            yield Supervisor(programs, home / "logs", process, rpc)
    finally:
        console.print("Stopping all programs")
        process.terminate()
        process.wait()


class Supervisor:
    """A client of the running supervisord, which restarts programs that crash."""

    def __init__(
        self, programs: list[Program], logs: Path, process: "subprocess.Popen[bytes]", rpc: httpx.Client
    ) -> None:
        self.programs, self.logs, self.process, self.rpc = programs, logs, process, rpc
        self.first_pids: dict[str, int] = {}

    def start(self, program: Program) -> None:
        """Starts the program, and returns without waiting for it."""
        self._call("startProcess", f"nightshelf:{program.name}", False)

    def ended(self) -> list[str]:
        """The names of the programs that ended by themselves since their start, even if restarted since."""
        return [info["name"] for info in self._call("getAllProcessInfo") if self._has_ended(info)]

    def _has_ended(self, info: Mapping[str, Any]) -> bool:
        """Whether a program is down or has another process id than the first time it was seen."""
        first_pid = self.first_pids.setdefault(info["name"], info["pid"]) if info["pid"] else 0
        return info["statename"] in ENDED or first_pid != info["pid"]

    def check(self) -> None:
        """Raises NightshelfError naming the log of a program that crashed too often to be restarted."""
        for name in self._given_up():
            raise NightshelfError(f"{name} doesn't stay up: its log is {self.log(name)}")

    def log(self, name: str) -> Path:
        """The log file of a program."""
        return self.logs / f"{name}.log"

    def wait(self) -> None:
        """Reports programs that don't stay up, forever; raises NightshelfError if supervisord ends."""
        reported: set[str] = set()
        while self.process.poll() is None:
            for name in set(self._given_up()) - reported:
                console.print(f"{name} doesn't stay up: its log is {self.log(name)}", style="red")
                reported.add(name)
            time.sleep(2)
        raise self._lost()

    def _given_up(self) -> list[str]:
        """The names of the programs that supervisord no longer restarts."""
        return [info["name"] for info in self._call("getAllProcessInfo") if info["statename"] == "FATAL"]

    def _call(self, method: str, *arguments: Any) -> Any:
        body = xmlrpc.client.dumps(arguments, f"supervisor.{method}")
        try:
            response = self.rpc.post(
                "http://supervisor/RPC2", content=body, headers={"Content-Type": "text/xml"}
            )
        except httpx.TransportError:
            raise self._lost() from None
        return xmlrpc.client.loads(response.content)[0][0]

    def _lost(self) -> NightshelfError:
        return NightshelfError(
            f"the supervisor ended or doesn't answer: its log is {self.log('supervisord')}"
        )


def _config(programs: Iterable[Program], home: Path, socket: Path) -> str:
    names = ",".join(program.name for program in programs)
    return HEAD.format(home=_escape(home), socket=_escape(socket), names=names) + "".join(
        PROGRAM.format(
            name=program.name,
            command=_escape(shlex.join(program.command)),
            log=_escape(_escape(home / "logs" / f"{program.name}.log")),  # supervisor expands it twice
            start_seconds=START_SECONDS,
            stop_signal=program.stop_signal,
            stop_seconds=STOP_SECONDS,
        )
        for program in programs
    )


def _launch(
    config: Path, folder: Path, environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    leash = (sys.executable, "-m", "pipelines.stack.leash", str(STOP_SECONDS + 4), folder)
    with log.open("w") as output:
        return subprocess.Popen(  # noqa: S603 - our own
            [*leash, sys.executable, "-m", "supervisor.supervisord", "--configuration", config],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a terminal's Ctrl-C reaches only this process
        )


def _escape(value: object) -> str:
    """The value for supervisor's configuration, where a percent sign begins an expansion."""
    return str(value).replace("%", "%%")
