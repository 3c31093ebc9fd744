"""A person who signed in: the key in a browser's cookie, and requests from the service's own pages."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

COOKIE = "nightshelf_key"
SAFE = ("GET", "HEAD", "OPTIONS")


def secret(scope: Scope) -> str | None:
    """The key in the cookie of a request, None where it has none."""
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def is_own(scope: Scope) -> bool:
    """Whether a request changes nothing or comes from a page of this service itself.

    Every browser tells the origin of what it posts. Its scheme isn't compared: a proxy may have ended TLS.
    """
    headers = Headers(scope=scope)
    origin = urlsplit(headers.get("origin", "")).netloc
    return scope["method"] in SAFE or (bool(origin) and origin == headers.get("host"))


def is_secure(scope: Scope) -> bool:
    """Whether the browser asked by https, of the service or of a proxy before it."""
    return "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))
