"""How long ordinary customers wait while others attack the service: `python -m benchmarks.attacks`."""

import contextlib
import json
import multiprocessing
import resource
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import numpy as np

from benchmarks.serving import BENTO, prepare_home, running, with_pseudonyms
from benchmarks.synthetic import bundle

PRODUCTS, SECONDS, CUSTOMERS = 5_000, 20, 4
PAUSE = 0.05  # seconds between the requests of an ordinary customer
HEAD = b"GET /v1/popular HTTP/1.1\r\nHost: 127.0.0.1\r\n"
Address = tuple[str, int]


def compare(folder: Path) -> str:
    """Returns a table of ordinary customers' waiting times, quiet and under each attack."""
    home = prepare_home(folder, with_pseudonyms(bundle(PRODUCTS)))
    with running(home, BENTO) as url:
        address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
        _waits(address)  # warms up
        quiet = _waits(address)
        rows = [_row("none", quiet, quiet)]
        for attack in ATTACKS:
            with _under(attack, address):
                rows.append(_row(attack.__doc__ or "", _waits(address), quiet))
    return (
        "## Ordinary customers under attack\n\n"
        f"One worker, {PRODUCTS:,} products; {CUSTOMERS} customers ask for recommendations up to\n"
        f"{1 / PAUSE:.0f} times a second for {SECONDS} s. The attackers run on the same cores.\n\n"
        "| attack | requests | p50 ms | p99 ms | p99 relative to quiet |\n|---|---|---|---|---|\n"
        f"{''.join(rows)}"
    )


def slow_headers(address: Address) -> None:
    """200 connections that send a byte of a header now and then."""

    def drip() -> None:
        with socket.create_connection(address) as connection:
            connection.sendall(HEAD + b"X-Slow: ")
            while True:
                connection.sendall(b"x")
                time.sleep(1)

    _repeated(drip, 200)


def endless_headers(address: Address) -> None:
    """3 connections that send one header without an end."""

    def flood() -> None:
        with socket.create_connection(address) as connection:
            connection.sendall(HEAD + b"X-Endless: ")
            while True:
                connection.sendall(b"x" * 65_536)

    _repeated(flood, 3)


def large_batches(address: Address) -> None:
    """4 connections that ask for 10 items for each of 1,000 customers."""
    body = json.dumps({"customers": [str(number) for number in range(1000)], "n": 10})
    _repeated(lambda: _ask(address, "POST", "/v1/recommendations", body), 4)


def cookies(address: Address) -> None:
    """4 connections that send a cookie of 30 KB of quotes."""
    cookie = 'nightshelf_key="' + r"\"" * 15_000 + '"'
    _repeated(lambda: _ask(address, "GET", "/", "", Cookie=cookie), 4)


def many_connections(address: Address) -> None:
    """2,000 connections that send nothing."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    held: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            held.append(socket.create_connection(address))
        if len(held) > 2_000:
            held.pop(0).close()
            time.sleep(0.01)


ATTACKS: list[Callable[[Address], None]] = [
    slow_headers,
    endless_headers,
    large_batches,
    cookies,
    many_connections,
]


@contextlib.contextmanager
def _under(attack: Callable[[Address], None], address: Address) -> Iterator[None]:
    """Attacks from another process until the block ends."""
    process = multiprocessing.get_context("spawn").Process(target=attack, args=(address,), daemon=True)
    process.start()
    time.sleep(3)
    yield
    process.kill()
    process.join()


def _repeated(attempt: Callable[[], None], connections: int) -> None:
    """Repeats an attempt over several connections at once, whatever becomes of it."""

    def repeat() -> None:
        while True:
            with contextlib.suppress(OSError):
                attempt()
            time.sleep(0.01)

    threads = [Thread(target=repeat) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask(address: Address, method: str, path: str, body: str, **headers: str) -> None:
    connection = HTTPConnection(*address, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    connection.getresponse().read()
    connection.close()


def _waits(address: Address) -> list[float]:
    """Returns the milliseconds that each request of the ordinary customers took."""
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        waits = pool.map(_customer, [address] * CUSTOMERS, range(CUSTOMERS))
        return [milliseconds for own in waits for milliseconds in own]


def _customer(address: Address, number: int) -> list[float]:
    waits: list[float] = []
    ended = time.monotonic() + SECONDS
    while time.monotonic() < ended:
        started = time.perf_counter()
        _ask(address, "GET", f"/v1/customers/c{number + len(waits) % 500}/recommendations", "")
        waits.append(1000 * (time.perf_counter() - started))
        time.sleep(PAUSE)
    return waits


def _row(attack: str, waits: list[float], quiet: list[float]) -> str:
    median, p99 = np.quantile(waits, [0.5, 0.99])
    relative = p99 / np.quantile(quiet, 0.99)
    return f"| {attack.rstrip('.')} | {len(waits)} | {median:.1f} | {p99:.1f} | {relative:.1f} |\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(compare(Path(folder)))
