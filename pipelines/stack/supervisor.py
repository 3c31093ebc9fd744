"""supervisord as a child of this process: what it starts ends with it, and it ends with us."""

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
FIRST_SECONDS = 30  # a program that ends within them hasn't come up
BROKEN = ("BACKOFF", "EXITED", "FATAL")

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

; One group, because groups are stopped one after the other.
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
startsecs={first_seconds}
stopsignal={ends_by}
stopwaitsecs={stop_seconds}
stopasgroup=true
killasgroup=true
"""


@contextmanager
def supervised(
    state: Path, programs: Iterable[Program], environment: Mapping[str, str]
) -> Iterator["Supervisor"]:
    """The supervisor of these programs; the end of the block ends them, and all that they started.

    The logs are in STATE/logs; `supervisorctl -c STATE/supervisor.conf` works beside it.
    """
    home, programs = state.resolve(), list(programs)
    (home / "logs").mkdir(parents=True, exist_ok=True)
    # Not in STATE: the path of a socket may have 107 characters.
    socket, config = Path(tempfile.mkdtemp(prefix="nightshelf-"), "supervisor.sock"), home / "supervisor.conf"
    config.write_text(_config(programs, home, socket))
    process = _launch(config, socket.parent, environment, home / "logs" / "supervisord.log")
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=10) as rpc:
            wait_for(lambda: socket.exists() or process.poll() is not None, "the supervisor doesn't start")
            yield Supervisor(programs, home / "logs", process, rpc)
    finally:
        console.print("Ending what was started")
        process.terminate()
        process.wait()


class Supervisor:
    """supervisord at work, restarting the started programs that crash."""

    def __init__(
        self, programs: list[Program], logs: Path, process: "subprocess.Popen[bytes]", rpc: httpx.Client
    ) -> None:
        self.programs, self.logs, self.process, self.rpc = programs, logs, process, rpc

    def start(self, program: Program) -> None:
        """Starts the program and doesn't wait for it."""
        self._call("startProcess", f"nightshelf:{program.name}", False)

    def broken(self) -> list[str]:
        """The names of the programs that ended by themselves within their first seconds."""
        return self._in(*BROKEN)

    def check(self) -> None:
        """Nothing, unless a program ended so often that it isn't restarted: NightshelfError names its log."""
        for name in self._in("FATAL"):
            raise NightshelfError(f"{name} doesn't stay up: its log is {self.log(name)}")

    def log(self, name: str) -> Path:
        """The file with what the program says."""
        return self.logs / f"{name}.log"

    def wait(self) -> None:
        """Tells of programs that don't stay up, for ever; raises NightshelfError if supervisord ends."""
        told: set[str] = set()
        while self.process.poll() is None:
            for name in set(self._in("FATAL")) - told:
                console.print(f"{name} doesn't stay up: its log is {self.log(name)}", style="red")
                told.add(name)
            time.sleep(2)
        raise self._silent()

    def _in(self, *states: str) -> list[str]:
        return [found["name"] for found in self._call("getAllProcessInfo") if found["statename"] in states]

    def _call(self, method: str, *arguments: Any) -> Any:
        body = xmlrpc.client.dumps(arguments, f"supervisor.{method}")
        try:
            answer = self.rpc.post(
                "http://supervisor/RPC2", content=body, headers={"Content-Type": "text/xml"}
            )
        except httpx.TransportError:
            raise self._silent() from None
        return xmlrpc.client.loads(answer.content)[0][0]

    def _silent(self) -> NightshelfError:
        return NightshelfError(f"the supervisor ended by itself: its log is {self.log('supervisord')}")


def _config(programs: Iterable[Program], home: Path, socket: Path) -> str:
    names = ",".join(program.name for program in programs)
    return HEAD.format(home=_plain(home), socket=_plain(socket), names=names) + "".join(
        PROGRAM.format(
            name=program.name,
            command=_plain(shlex.join(program.command)),
            log=_plain(_plain(home / "logs" / f"{program.name}.log")),  # expanded twice
            first_seconds=FIRST_SECONDS,
            ends_by=program.ends_by,
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
            start_new_session=True,  # the terminal's Ctrl-C is for us alone
        )


def _plain(value: object) -> str:
    """The text as supervisor's configuration wants it, where a percent sign begins an expansion."""
    return str(value).replace("%", "%%")
