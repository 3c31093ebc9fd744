"""Requests written by hand to a socket, for what no HTTP client sends."""

import contextlib
import socket
from urllib.parse import urlsplit


def connect(url: str, timeout: float = 10) -> socket.socket:
    """Returns a connection to the server of a URL."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 80), timeout=timeout)


def request(path: str = "/v1/popular", method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """Returns the bytes of a request after which the server closes; `_` in a header's name stands for `-`."""
    sent = {"Host": "127.0.0.1", "Connection": "close"} | ({"Content_Length": str(len(body))} if body else {})
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in (sent | headers).items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


def read_all(connection: socket.socket) -> bytes:
    """Returns what the server sends until it closes; a reset counts as closing."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return bytes(received)


def exchange(url: str, sent: bytes, timeout: float = 10) -> bytes:
    """Returns the server's answer to these bytes; raises TimeoutError if none is complete in time."""
    with connect(url, timeout) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        return read_all(connection)


def status(answer: bytes) -> int:
    """Returns the status of an answer, 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0
