"""Refuses requests that another site's page sends from a browser on this machine.

Without API keys the service trusts its own machine, and a browser there runs pages of every site. Such a page
can send requests to 127.0.0.1, and can read the answers if its own name resolves to that address (DNS
rebinding). Browsers tell the truth in the headers Host, Origin and Sec-Fetch-*, which pages can't set.
"""

import ipaddress
from functools import lru_cache

from starlette.types import Scope

from serving.errors import Problem

FOREIGN = (b"cross-site", b"same-site")  # values of Sec-Fetch-Site; one site has many ports
NAVIGATION = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}  # a link that a person follows


class Origins:
    """The names by which the service is expected to be called, and the origins whose pages may call it."""

    def __init__(self, hosts: str = "", origins: str = "") -> None:
        self.hosts = {name.lower() for name in names(hosts)}
        self.origins = {origin.lower().encode() for origin in names(origins)}
        self._is_expected = lru_cache(self._names_this_service)

    def require_own(self, scope: Scope) -> None:
        """Raises Problem 403 for an unexpected host, and for a request of another site's page."""
        sent: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name == b"host" and not self._is_expected(value):
                raise _unexpected_host()
            sent[name] = value
        origin = sent.get(b"origin")
        if origin in self.origins:
            return
        if origin is not None and origin.partition(b"://")[2] != sent.get(b"host"):
            raise _other_site()
        if sent.get(b"sec-fetch-site") in FOREIGN and not _is_navigation(scope, sent):
            raise _other_site()

    def _names_this_service(self, header: bytes) -> bool:
        host = host_name(header.decode("latin-1"))
        return host in self.hosts or is_loopback(host)


def is_loopback(host: str) -> bool:
    """Returns whether a name or address is only reached from this machine: localhost or a loopback IP."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_name(header: str) -> str:
    """Returns the name or address in a header Host, in lower case, without port and brackets."""
    name, colon, port = header.lower().rpartition(":")
    host = name if colon and port.isdecimal() else header.lower()
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def names(text: str) -> list[str]:
    """Returns the names in a setting that separates them by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _is_navigation(scope: Scope, sent: dict[bytes, bytes]) -> bool:
    """Returns whether a browser opens the answer as a page of its own, which no other page can read."""
    return scope["method"] == "GET" and all(sent.get(name) == value for name, value in NAVIGATION.items())


def _unexpected_host() -> Problem:
    message = (
        "without an API key the service expects the Host 127.0.0.1 or localhost: use it, add the name to"
        " NIGHTSHELF_HOSTS, or run `nightshelf keys add`"
    )
    return Problem(403, "unexpected_host", message)


def _other_site() -> Problem:
    message = (
        "the page of another site sent this request: add its origin to NIGHTSHELF_CORS_ORIGINS, or run"
        " `nightshelf keys add` and send the key in a header"
    )
    return Problem(403, "other_site", message)
