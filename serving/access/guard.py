"""Decides whether a request is answered: API keys, their scopes and their rate limits."""

import logging
import math
from functools import cache
from pathlib import Path
from time import monotonic

from starlette.types import Scope

from serving.access import keys, origins, rate, session
from serving.access.keys import Key
from serving.access.origins import Origins
from serving.access.rate import RateLimiter
from serving.errors import NightshelfError, Problem

# Pages without data of the shop.
PUBLIC_PAGES = ("/", "/docs", "/v1/openapi.json", "/pages/{file}", "/sign-in", "/sign-out")
PUBLIC_ROUTES = ("/livez", "/readyz", "/healthz", *PUBLIC_PAGES)
SIGNED_ROUTES = ("/v1/orders/{profile}",)  # a signature of the body stands for a key: serving.http.webhooks
CHECK_SECONDS = 1.0  # between checks whether the file of API keys has changed

Stamp = tuple[int, int] | tuple[()] | None  # of a file; (): not looked at yet

log = logging.getLogger(__name__)


class Keyring:
    """The keys in a file, read again within a second of a change.

    required: whether a missing file admits nobody; without it, requests need no key before the first key.
    """

    def __init__(self, file: Path, required: bool = False) -> None:
        self.file = file
        self.required = required
        self._keys: list[Key] | None = None
        self._stamp: Stamp = ()
        self._checked_at = -math.inf

    @property
    def keys(self) -> list[Key] | None:
        """All keys; None if there never was a file and none is required, so that requests need no key."""
        if (now := monotonic()) - self._checked_at > CHECK_SECONDS:
            self._checked_at = now
            if (stamp := _file_stamp(self.file)) != self._stamp:
                self._stamp = stamp
                self._read()
        return self._keys

    def _read(self) -> None:
        """Reads the file; keeps the present keys if it is unreadable or gone. An empty list admits nobody."""
        try:
            self._keys = keys.load(self.file)
            keys.remember(self.file)
        except FileNotFoundError:
            if self._keys is not None:
                log.warning("the file of API keys is gone; its keys stay valid until the service restarts")
            elif self.required or keys.had_keys(self.file):
                self._keys = []
                log.error("%s; until then no request is admitted", keys.missing(self.file))
        except NightshelfError as error:
            self._keys = self._keys or []
            log.warning("%s; the API keys read before stay valid", error)


class Guard:
    """Admits a request or raises the problem to answer with.

    required: see `Keyring`. origins: what is expected of requests without a key.
    """

    def __init__(
        self, file: Path, per_second: float, required: bool = False, origins: Origins | None = None
    ) -> None:
        self.keyring = Keyring(file, required)
        self.limiter = RateLimiter(per_second) if per_second else None
        self.origins = origins or Origins()

    def admit(self, scope: Scope, route: str) -> str | None:
        """Returns the name of the request's key, None if it needs no key; raises Problem 401, 403 or 429."""
        if route in PUBLIC_ROUTES or route in SIGNED_ROUTES:
            return None
        valid = self.keyring.keys
        if valid is None:
            _require_loopback(scope)
            self.origins.require_own(scope)
            name = None
        else:
            name = _authorised_key(valid, scope, route).name
        rate.require(self.limiter, name or "", "the key")
        return name


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach an address: a loopback IP, localhost or a socket's path."""
    return origins.is_loopback(host) or host.startswith("/")


_is_loopback = cache(is_loopback)


def _require_loopback(scope: Scope) -> None:
    server = scope.get("server")
    if server and not _is_loopback(server[0]):
        message = (
            "requests from other machines are accepted only once an API key exists: run `nightshelf keys add`"
        )
        raise Problem(403, "no_keys", message)


def _authorised_key(valid: list[Key], scope: Scope, route: str) -> Key:
    secret = _secret(scope)
    if secret is None or (key := keys.find(valid, secret)) is None:
        message = "no valid API key: send one in the header Authorization: Bearer KEY"
        raise Problem(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
    required = keys.required_scope(scope["method"], route)
    if not key.allows(required):
        raise Problem(403, "forbidden", f"the key's scope is {key.scope}, the route requires {required}")
    return key


def _secret(scope: Scope) -> str | None:
    """Returns the secret in the Authorization header or in the cookie of a signed-in browser.

    Raises Problem 403 for a cookie sent by another site's page.
    """
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if scheme.lower() == "bearer" else None
    cookie = session.secret(scope)
    if cookie is not None and not session.is_same_origin(scope):
        message = "the cookie is accepted only from the service's own pages: send the key in a header"
        raise Problem(403, "other_site", message)
    return cookie


def _file_stamp(file: Path) -> Stamp:
    """Returns the time of the last change and the inode of a file, None if it can't be looked at."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
