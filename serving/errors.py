"""Errors that a user can cause and fix: commands print them as one line, without a traceback."""

import re

from pydantic import ValidationError

CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)
QUERY_VALUE = re.compile(r"(?<==)[^&#]+")


class NightshelfError(Exception):
    """Says in one sentence what is wrong, where, and what to do next."""


class TransientError(NightshelfError):
    """A failure that may pass on its own, so a retry can succeed."""


class BundleError(NightshelfError):
    """A bundle is missing, truncated, altered or in an unsupported format."""


class RegistryError(NightshelfError):
    """The registry can't be reached, or holds no model to serve."""


class StoreError(TransientError):
    """The database of changes and events doesn't respond."""


class Problem(Exception):  # noqa: N818 - a normal response to a bad request, not a failure of the service
    """A request that can't be answered: HTTP status, error code, message, and the field at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.headers = headers
        self.body = {"error": {"code": code, "message": message, "field": field}}


def without_secrets(url: str) -> str:
    """Returns a path or URL for a message: without user and password, and without the values of its query.

    >>> without_secrets("postgresql://me:p@ss@host/shop?password=secret&sslmode=require")
    'postgresql://***@host/shop?password=***&sslmode=***'
    """
    if "://" not in url:
        return url
    address, mark, query = CREDENTIALS.sub("***@", url).partition("?")
    return address + mark + QUERY_VALUE.sub("***", query)


def validation_message(error: ValidationError) -> str:
    """Returns each invalid field and its problem, in one line and without the invalid values."""
    details = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in details)
