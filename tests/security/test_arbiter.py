"""The arbiter that `bentoml serve` starts, which runs any command that it is sent."""

import json
import time
from pathlib import Path

import psutil
import zmq
from processes import service

TWO_WORKERS = {"workers": 2}  # so that the arbiter has something to supervise
ATTACK_SECONDS = 3


def open_addresses(process: int) -> set[tuple[str, int]]:
    """Returns the addresses on which a process and its descendants listen, of TCP and of UDP."""
    root = psutil.Process(process)
    return {
        (connection.laddr.ip, connection.laddr.port)
        for member in (root, *root.children(recursive=True))
        for connection in member.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }


def ask_for_a_command(address: tuple[str, int], command: list[str]) -> None:
    """Asks a socket, as circus's own client does, for a watcher that runs a command."""
    options = {"name": "theirs", "cmd": command[0], "args": command[1:], "start": True}
    message = json.dumps({"id": "1", "command": "add", "properties": options}).encode()
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 0
        client.connect("tcp://{}:{}".format(*address))
        client.send(message)
        client.poll(ATTACK_SECONDS * 1000)


def test_a_local_user_reaches_the_services_own_port_alone(tmp_path: Path):
    marker = tmp_path / "planted"
    with service(tmp_path, **TWO_WORKERS) as up:
        own = ("127.0.0.1", int(up.url.rsplit(":", 1)[1]))
        addresses = open_addresses(up.process.pid)
        for address in addresses - {own}:
            ask_for_a_command(address, ["/usr/bin/touch", str(marker)])
        time.sleep(1 if addresses - {own} else 0)
        assert not marker.exists(), "a local user ran a command as the service's user"
        assert addresses == {own}


def test_the_arbiter_restarts_a_worker_that_was_killed(tmp_path: Path):
    with service(tmp_path, **TWO_WORKERS) as up:
        before = {child.pid for child in psutil.Process(up.process.pid).children()}
        assert len(before) >= TWO_WORKERS["workers"]
        psutil.Process(min(before)).kill()
        deadline = time.monotonic() + 60
        while len(now := {c.pid for c in psutil.Process(up.process.pid).children()} - before) < 1:
            assert time.monotonic() < deadline, f"no worker in place of the killed one: {now}"
            time.sleep(0.2)
