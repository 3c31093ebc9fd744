"""Slow, endless and unused connections end, and others are answered meanwhile."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

import bundles
import httpx
import psutil
import pytest
from browsing import running_service
from limits import scaled
from parsers import PARSERS, parsed_by
from processes import Service
from raw_http import connect, exchange, read_all, request, status

MEGABYTE = 1 << 20
ENDLESS = b"GET /v1/popular HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Endless: "
CHUNKED = request("/reco", "POST", Transfer_Encoding="chunked") + b"1\r\n{\r\n"
HELD = 1_200  # connections, more than a worker holds


@pytest.fixture(scope="module", params=PARSERS)
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    with parsed_by(request.param), running_service(home, bundles.small()) as service:
        yield service


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def sent_until_closed(connection: socket.socket, part: bytes, most: int) -> int:
    """Sends the same part until the server closes; returns the bytes sent, at most so many."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < most:
            connection.sendall(part)
            sent += len(part)
    return sent


def memory(up: Service) -> int:
    """Returns the resident memory of the workers in bytes."""
    processes = psutil.Process(up.process.pid).children(recursive=True)
    return max(int(process.memory_info().rss) for process in processes)


def answer_seconds(up: Service) -> float:
    started = time.perf_counter()
    assert httpx.get(f"{up.url}/v1/popular", timeout=60).status_code == 200
    return time.perf_counter() - started


def test_headers_without_an_end_are_cut_off_early(up: Service) -> None:
    before = memory(up)
    for _ in range(3):
        with connect(up.url, timeout=30) as connection:
            connection.sendall(ENDLESS)
            assert sent_until_closed(connection, b"x" * 65_536, 50 * MEGABYTE) < 10 * MEGABYTE
    assert answer_seconds(up) < scaled(1)
    assert memory(up) - before < 50 * MEGABYTE


def test_trailers_without_an_end_are_cut_off_early(up: Service) -> None:
    with connect(up.url, timeout=30) as connection:
        connection.sendall(CHUNKED + b"0\r\nX-Endless: ")
        assert sent_until_closed(connection, b"x" * 65_536, 50 * MEGABYTE) < 10 * MEGABYTE


def test_a_client_that_takes_no_answer_is_closed_and_holds_little_memory(up: Service) -> None:
    before = memory(up)
    with connect(up.url, timeout=1) as connection, contextlib.suppress(ConnectionError, TimeoutError):
        connection.sendall(request("/docs", Connection="keep-alive") * 2_000)
        time.sleep(1)
        assert memory(up) - before < 50 * MEGABYTE
    assert answer_seconds(up) < scaled(1)
    assert "Traceback" not in up.log.read_text()


def test_a_client_that_sends_thousands_of_requests_at_once_is_closed_and_holds_little_memory(
    up: Service,
) -> None:
    before = memory(up)
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            connection = stack.enter_context(connect(up.url, timeout=1))
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection.sendall(b"GET /docs HTTP/1.1\r\n\r\n" * 20_000)
        assert answer_seconds(up) < scaled(1)
        assert memory(up) - before < 50 * MEGABYTE
    assert "Traceback" not in up.log.read_text()


def test_some_requests_sent_at_once_are_answered_in_turn(up: Service) -> None:
    with connect(up.url) as connection:
        connection.sendall(request(Connection="keep-alive") * 9 + request())
        assert read_all(connection).count(b"HTTP/1.1 200") == 10


def test_headers_without_number_are_refused(up: Service) -> None:
    many = {f"X_{number}": "1" for number in range(1_000)}
    assert status(exchange(up.url, request(**many))) in (400, 431)


def test_connections_that_send_no_whole_request_are_closed(up: Service) -> None:
    starts = [b"", b"GET", ENDLESS, request()[:-2], request(Connection="keep-alive"), CHUNKED]
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(up.url, timeout=scaled(15))) for _ in starts]
        for connection, start in zip(idle, starts, strict=True):
            connection.sendall(start)
        dripping = stack.enter_context(connect(up.url, timeout=scaled(15)))
        ended = time.monotonic() + scaled(15)
        with contextlib.suppress(ConnectionError):
            dripping.sendall(ENDLESS)
            while time.monotonic() < ended:
                dripping.sendall(b"x")
                time.sleep(0.5)
            pytest.fail("the connection that goes on sending a header is still open")
        for connection in idle:
            read_all(connection)


@pytest.mark.usefixtures("many_files")
def test_a_crowd_of_connections_keeps_nobody_out(up: Service) -> None:
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(up.url)) for _ in range(HELD)]
        assert answer_seconds(up) < scaled(2)
        for connection in crowd:
            connection.setblocking(False)
        assert sum(is_open(connection) for connection in crowd) <= 1_000


def is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_a_whole_request_in_small_parts_is_answered(up: Service) -> None:
    with connect(up.url) as connection:
        for byte in request(X_Long="y" * 500):
            connection.sendall(bytes([byte]))
        assert status(read_all(connection)) == 200


def test_a_request_to_change_to_websockets_is_answered_as_any_other(up: Service) -> None:
    answer = exchange(up.url, request(Connection="Upgrade, close", Upgrade="websocket"))
    assert status(answer) == 200
    assert "WebSocket" not in up.log.read_text()
