"""A proxy before a shop that fails as networks and servers do: a share of the requests, drawn from a seed."""

from collections import Counter

import httpx
from limits import scaled
from pydantic import PrivateAttr

from pipelines.demo.faults import Faults
from pipelines.demo.injection import FaultInjection

SHARES = {
    "server_error": 0.03,
    "too_many": 0.004,
    "slow": 0.004,
    "reset": 0.03,
    "truncated": 0.02,
    "malformed": 0.02,
}
# Headers that are about one connection, or about the encoding of a body that the proxy decoded.
OWN = {"connection", "content-encoding", "content-length", "date", "keep-alive", "transfer-encoding"}


class CountedFaults(Faults):
    """Faults that are counted by kind; None counts the responses without one."""

    _drawn: Counter = PrivateAttr(default_factory=Counter)

    def kind(self, rng):
        drawn = super().kind(rng)
        self._drawn[drawn] += 1
        return drawn


class FaultyProxy:
    """An ASGI application that forwards each request to a shop, with faults unless `calm` is set."""

    def __init__(self, url, seed):
        self.url, self.calm, self.timeout = url, True, scaled(4)
        self.faults = CountedFaults(seed=seed, slow_seconds=self.timeout * 1.2, retry_after=1, **SHARES)
        self.with_faults = FaultInjection(self._forward, self.faults, ("/",))

    @property
    def drawn(self):
        """The number of responses with each kind of fault."""
        return {kind: count for kind, count in self.faults._drawn.items() if kind}

    async def __call__(self, scope, receive, send):
        await (self._forward if self.calm else self.with_faults)(scope, receive, send)

    async def _forward(self, scope, receive, send):
        if scope["type"] != "http" or (body := await _body(receive)) is None:
            return
        async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
            response = await client.request(
                scope["method"],
                f"{self.url}{scope['raw_path'].decode()}",
                params=scope["query_string"].decode(),
                headers=[header for header in scope["headers"] if header[0] != b"host"],
                content=body,
            )
        headers = [(name, value) for name, value in response.headers.raw if name.decode().lower() not in OWN]
        headers.append((b"content-length", str(len(response.content)).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})


async def _body(receive):
    """Returns the body of a request, None if the client is gone."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
