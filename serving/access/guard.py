"""Who may ask what, and how often: keys, their scopes and their rate."""

import ipaddress
import logging
import math
from functools import cache
from pathlib import Path
from time import monotonic

from starlette.types import Scope

from serving.access import keys, session
from serving.access.keys import Key
from serving.access.rate import Rate
from serving.errors import NightshelfError, Problem

# They tell nothing of the shop.
PAGES = ("/", "/docs", "/v1/openapi.json", "/pages/{file}", "/sign-in", "/sign-out")
OPEN = ("/livez", "/readyz", "/healthz", *PAGES)
LOOKS = 1.0  # seconds between looks at the file

log = logging.getLogger(__name__)


class Ring:
    """The keys of a file, read again within a second of a change; None as long as there is no file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._keys: list[Key] | None = None
        self._stamp: tuple[int, int] | None = None
        self._looked = -math.inf

    @property
    def keys(self) -> list[Key] | None:
        """All keys; None where nobody needs one."""
        if (now := monotonic()) - self._looked > LOOKS:
            self._looked = now
            if (stamp := _stamp(self.file)) != self._stamp:
                self._stamp = stamp
                self._read()
        return self._keys

    def _read(self) -> None:
        """Reads the file; the keys stay as they were where it can't be read or is gone."""
        try:
            self._keys = keys.load(self.file)
        except FileNotFoundError:
            log.warning("the file of the keys is gone; those that were in it hold until the next start")
        except NightshelfError as error:
            self._keys = self._keys or []  # there are keys, so that nobody gets in without
            log.warning("the keys stay as they were: %s", error)


class Guard:
    """Lets a request in or says why not."""

    def __init__(self, file: Path, rate: float) -> None:
        self.ring = Ring(file)
        self.rate = Rate(rate) if rate else None

    def admit(self, scope: Scope, route: str) -> str | None:
        """The name of the key that asks, None where none is needed; raises Problem 401, 403 or 429."""
        if route in OPEN:
            return None
        known = self.ring.keys
        if known is None:
            _only_this_machine(scope)
            name = None
        else:
            name = _entitled(known, scope, route).name
        if self.rate and (wait := self.rate.wait(name or "")):
            after = {"Retry-After": str(math.ceil(wait))}
            raise Problem(429, "too_many_requests", "the key asks too often", headers=after)
        return name


def is_this_machine(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or the path of a socket
        return host == "localhost" or host.startswith("/")


_is_this_machine = cache(is_this_machine)


def _only_this_machine(scope: Scope) -> None:
    server = scope.get("server")
    if server and not _is_this_machine(server[0]):
        raise Problem(403, "no_keys", "without keys the service answers its own machine alone")


def _entitled(known: list[Key], scope: Scope, route: str) -> Key:
    secret = _secret(scope)
    if secret is None or (key := keys.matching(known, secret)) is None:
        message = "send a key of the service in the header Authorization: Bearer KEY"
        raise Problem(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
    wanted = keys.scope_of(scope["method"], route)
    if not key.may(wanted):
        raise Problem(403, "forbidden", f"the key's scope is {key.scope}, the route asks for {wanted}")
    return key


def _secret(scope: Scope) -> str | None:
    """The key of a request, in its header or in the cookie of who signed in; raises Problem 403."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if scheme.lower() == "bearer" else None
    found = session.secret(scope)
    if found is not None and not session.is_own(scope):
        message = "a cookie counts on the service's own pages alone: send the key in a header"
        raise Problem(403, "other_site", message)
    return found


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
