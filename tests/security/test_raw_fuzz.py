"""Drawn nonsense on real sockets: every connection is answered or closed at once, and the service goes on."""

import random
import socket
import time
from collections.abc import Iterator

import bundles
import httpx
import pytest
from browsing import running_service
from homes import SOAK
from limits import scaled
from parsers import PARSERS, parsed_by
from processes import Service
from raw_http import connect, exchange, read_all, request, status

INPUTS = 10_000 if SOAK else 300
HANG_SECONDS = 1.0
METHODS = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "\x00", "G" * 99,
]  # fmt: skip
PATHS = [
    "/", "*", "/v1/popular", "/v1/popular?n=1e9", "/v1/products/%00/similar", "/v1/customers/%ff/history",
    "/reco", "/v1/recommendations", "/v1/events", "/nights/../keys", "/nights/%2e%2e%2fkeys",
    "//v1//popular", "/metrics", "http://evil.example/", "http://[x/", "/v1/orders/shopify",
    "/pages/..%2f..%2fkeys", "/" + "a" * 9000, "?", "/#", "/v1/customers/\x85/recommendations",
    "/v1/popular?n=%", "/v1/popular?" + "n=1&" * 2000, "/sign-in",
]  # fmt: skip
HEADERS = [
    "Host: 127.0.0.1", "Host: evil", "Host:", "Host: [", "Origin: http://[x", "Origin: null",
    "Cookie: nightshelf_key=", 'Cookie: nightshelf_key="\\"\\""', "Content-Length: 5", "Content-Length: -1",
    "Content-Length: 99999999999999999999", "Content-Length: 1, 2", "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAAP__", "Expect: 100-continue", "Expect: nothing", "Authorization: Bearer",
    "Authorization: Basic \xff", "Authorization: Bearer " + "x" * 5000, "Accept: text/html",
    "Sec-Fetch-Site: cross-site", "Content-Type: application/json", "Content-Type: \x00",
    "Content-Encoding: gzip", "X-Forwarded-Proto: \xff", "X-Forwarded-For: evil", ": no name", "no colon",
    " folded", "\tfolded", "a\x00b: c", "Range: bytes=0-", "If-Modified-Since: x", "Sec-WebSocket-Key: x",
    "Sec-WebSocket-Version: 13", "Connection: close", "traceparent: 00-xx-yy-zz", "baggage: " + "k=v," * 500,
    "Sec-Fetch-Mode: navigate", "Access-Control-Request-Method: X",
]  # fmt: skip
BODIES = [
    b"", b"{}", b"[]", b"{", b"\x00" * 50, b"[" * 3000, b'{"user_id": "\\ud800"}', b'{"user_id": 1e999}',
    b'{"customers": ["1"], "n": -1}', b"5\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFF\r\n", b"-1\r\n", b"2;" + b"x" * 2000 + b"\r\n{}\r\n0\r\nT: t\r\n\r\n",
    "ключ=é".encode(), b"key=%zz&key", b'[{"customer": 1}]',
]  # fmt: skip
VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]
ENDS = ["\r\n\r\n", "\r\n\r\n", "\r\n\r\n", "\r\n\r\n", "\n\n", "\r\r", "\r\n", ""]


@pytest.fixture(scope="module", params=PARSERS)
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    with parsed_by(request.param), running_service(home, bundles.small()) as service:
        yield service


def drawn(rng: random.Random) -> bytes:
    """Returns a drawn request: of odd parts, changed bytes of a good one, or bytes alone."""
    kind = rng.random()
    if kind < 0.1:
        return rng.randbytes(rng.randrange(2000))
    if kind < 0.3:
        return mutated(rng, request(rng.choice(PATHS[2:8]), rng.choice(METHODS[:5]), rng.choice(BODIES)))
    line = f"{rng.choice(METHODS)} {rng.choice(PATHS)} {rng.choice(VERSIONS)}"
    headers = rng.choices(HEADERS, k=rng.choice([0, 1, 2, 3, 5, 8, 120]))
    head = "\r\n".join([line, *headers]) + rng.choice(ENDS)
    sent = head.encode("latin-1") + rng.choice(BODIES)
    return sent * rng.choice([1, 1, 1, 1, 3, 50]) if len(sent) < 2000 else sent


def mutated(rng: random.Random, sent: bytes) -> bytes:
    """Returns a request in which some bytes were replaced, removed or repeated."""
    changed = bytearray(sent)
    for _ in range(rng.randrange(1, 6)):
        index = rng.randrange(len(changed) + 1)
        piece = rng.choice([b"", rng.randbytes(1), b"\r\n", b"\x00", b":", bytes(changed[:index][-20:]) * 3])
        changed[index : index + rng.randrange(3)] = piece
    return bytes(changed)


def send(up: Service, sent: bytes, rng: random.Random) -> bytes:
    """Sends bytes, whole or in pieces, then nothing more, and returns the answer."""
    pieces = rng.choice([1, 1, 1, 3])
    with connect(up.url, timeout=scaled(30)) as connection:
        try:
            for part in range(pieces):
                connection.sendall(sent[part * len(sent) // pieces : (part + 1) * len(sent) // pieces])
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the service has closed already
            return b""
        return read_all(connection)


def test_no_input_crashes_or_stops_the_service(up: Service, seed: int) -> None:
    rng, slowest, slowest_input = random.Random(seed), 0.0, b""
    for number in range(INPUTS):
        sent = drawn(rng)
        started = time.perf_counter()
        send(up, sent, rng)
        assert status(exchange(up.url, request("/livez"))) == 200, sent[:500]
        if (seconds := time.perf_counter() - started) > slowest:
            slowest, slowest_input = seconds, sent
        assert slowest < scaled(HANG_SECONDS), (number, sent[:500])
    print(f"{INPUTS} inputs, each answered or closed within {slowest:.3f} s: {slowest_input[:200]!r}")
    log = up.log.read_text(errors="replace")
    assert [word for word in ("Traceback", "failed: ", "Exception in ASGI") if word in log] == []
    assert httpx.get(f"{up.url}/v1/popular").status_code == 200
