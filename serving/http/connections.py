"""Limits of the connections that a worker holds: uvicorn has none for slow, endless or unused ones.

BentoML starts uvicorn with the protocol "auto", which takes httptools where it is installed, otherwise h11.
`install` puts the same parser with these limits in its place.
"""

import asyncio
import resource
from typing import Any

import uvicorn.config
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 10.0  # for a request's line and headers, from the connection or the answer before
READ_SECONDS = 30.0  # for a client to take an answer
HEAD_BYTES = 65_536  # in a row that are no body: of a request's line, headers or trailers
MAX_CONNECTIONS = 1_000
MAX_AHEAD = 16  # requests that a client sends before it has the answer to the first
CROWD_SHARE = 0.1  # of all connections; this many waiting ones are closed when there are too many

_Parser: Any = AutoHTTPProtocol
IS_H11 = not hasattr(AutoHTTPProtocol, "on_body")  # which itself allows 16 KB of headers


def install() -> None:
    """Makes servers that uvicorn starts in this process keep the limits."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"


class BoundedProtocol(_Parser):  # type: ignore[misc] # which parser it is depends on the installation
    """A connection that is closed if its client is too slow, sends endless headers, or waits in a crowd."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ws_protocol_class = None  # there are no WebSocket routes, and WebSockets would have no limits
        self.waits_since = self.loop.time()
        self.blocked_since: float | None = None
        self._check: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._running: Any = None  # the first of several requests that were sent at once

    def connection_made(self, transport: Any) -> None:
        """Starts to watch the connection, and makes room for it if there are too many."""
        super().connection_made(transport)
        self._check = self.loop.call_later(HEAD_SECONDS, self._close_if_slow)
        if len(self.connections) > max_connections():
            _close_waiting(self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the watch."""
        if self._check:
            self._check.cancel()
        self._end_answer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what was received; closes the connection after too many bytes that are no body."""
        if self._head_bytes > HEAD_BYTES and not IS_H11:
            self.transport.abort()
            return
        self._head_bytes += len(data)
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP; behind a request that is being answered, it ends the connection."""
        if self.is_waiting:
            super().send_400_response(msg)
        else:
            self._end_answer()
            self.transport.close()

    def on_message_begin(self) -> None:
        """Counts the bytes of headers from the start of each request; only httptools calls this.

        An exception ends the parser, which would otherwise make a request of each 20 bytes it received.
        """
        if len(self.pipeline) >= MAX_AHEAD:
            raise ConnectionError("too many requests at once")
        self._head_bytes = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Counts the bytes of trailers from the last part of the body; only httptools calls this."""
        self._head_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Starts to wait for the next request."""
        self.waits_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Notes since when the client takes no more of an answer."""
        self.blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Notes that the client goes on reading."""
        self.blocked_since = None
        super().resume_writing()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Notes which request is answered; only httptools calls this."""
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _end_answer(self) -> None:
        """Tells the request that is being answered that its client has gone; uvicorn tells only the last."""
        for cycle in (self._running, self.cycle):
            if cycle and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def _close_if_slow(self) -> None:
        """Closes the connection if its time is over, otherwise looks again when it would be over."""
        if self.blocked_since is not None or self.transport.get_write_buffer_size():
            due = (self.blocked_since or self.waits_since) + READ_SECONDS
        elif self.is_waiting:
            due = self.waits_since + HEAD_SECONDS
        else:
            due = self.loop.time() + HEAD_SECONDS
        if (left := due - self.loop.time()) > 0:
            self._check = self.loop.call_later(left, self._close_if_slow)
        else:
            self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing: the message would advise the operator to install support for WebSockets."""


def max_connections() -> int:
    """Returns how many connections a worker holds: at most half as many as it may open files."""
    return min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


def _close_waiting(connections: set[Any]) -> None:
    """Closes those connections that wait longest, first of those that never sent a request."""
    waiting = [connection for connection in connections if connection.is_waiting]
    waiting.sort(key=lambda connection: (connection.cycle is not None, connection.waits_since))
    for connection in waiting[: max(1, int(len(connections) * CROWD_SHARE))]:
        connection.transport.abort()
