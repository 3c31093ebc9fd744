"""Ports for the servers that tests start."""

import itertools
import os
import socket

FIRST, PER_WORKER = 11_000, 2_500  # below the ports that systems give to outgoing connections (from 32768)
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_first = FIRST + _worker * PER_WORKER
# Another run of pytest on this machine begins elsewhere, well apart even if it was started a moment later.
_start = os.getpid() * 97
_numbers = (_first + (_start + count) % PER_WORKER for count in itertools.count())


def free_port() -> int:
    """Returns a port of the loopback interface on which nothing listens.

    No other test and no outgoing connection takes it before the test's server does: each process of pytest
    has ports of its own and gives each of them once, until it has given all.
    """
    return next(port for port in _numbers if _is_free(port))


def free_ports(count: int) -> list[int]:
    """Returns that many different ports on which nothing listens."""
    return [free_port() for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
