"""Failed requests of a shop's API: which are worth another try, and the message for the user."""

import aiohttp
from pydantic import ValidationError

from pipelines.extract.shops import graphql
from pipelines.extract.shops.access import Access
from pipelines.settings import Settings
from serving.errors import NightshelfError, TransientError

TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
UNAUTHORISED = (401, 403)
UNION_MEMBERS = ("str", "bool")  # pydantic appends them to the path of a field that may be either


class InvalidJsonError(Exception):
    """A response that is not complete JSON; a retry may return the rest."""


class AccessError(NightshelfError):
    """The shop refused the credentials."""


class UnreachableError(TransientError):
    """The shop didn't answer at all."""


class StatusError(Exception):
    """A response with a status other than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


PASSING = (aiohttp.ClientError, TimeoutError, InvalidJsonError, graphql.ThrottledError)
KINDS = (StatusError, graphql.GraphQLError, ValidationError, *PASSING)


def worth_retrying(error: BaseException) -> bool:
    """Returns whether a failure may pass."""
    if isinstance(error, StatusError):
        return _is_transient(error.status)
    return isinstance(error, PASSING)


def explained(error: Exception, label: str, path: str, settings: Settings, access: Access) -> NightshelfError:
    """Returns a failure, one of KINDS, as a message to the user: a TransientError if it may pass.

    label: names the page; path: of the request.
    """
    s, tries = settings, f"{settings.shop_tries} times in a row"
    match error:
        case StatusError():
            return _status_error(error.status, label, path, s, access)
        case InvalidJsonError():
            return TransientError(
                f"the shop's response to {label} was not complete JSON, {tries}: check that"
                f" NIGHTSHELF_SHOP_URL ({s.shop_address}) and NIGHTSHELF_SHOP_PROFILE are right, and the"
                " shop's log"
            )
        case graphql.ThrottledError():
            return TransientError(
                f"the shop refused {label} for its cost, {tries}: repeat the run when fewer others use the"
                " shop's API, or lower NIGHTSHELF_SHOP_PAGE_SIZE"
            )
        case graphql.GraphQLError():
            kind = AccessError if isinstance(error, graphql.NoAccessError) else NightshelfError
            return kind(f"the shop refused the query of {label}: {error}")
        case ValidationError():
            return broken_contract(error, label)
    return UnreachableError(
        f"the shop at {s.shop_address} can't be reached for {label} ({type(error).__name__}, {s.shop_tries}"
        " tries): check that it is up and that NIGHTSHELF_SHOP_URL is right"
    )


def broken_contract(error: ValidationError, label: str) -> NightshelfError:
    """Returns the error of a response, named by `label`, that lacks a field or has it in another form."""
    first = error.errors(include_input=False, include_url=False)[0]
    return NightshelfError(
        f"the shop's response to {label} breaks the API's contract: {_field(first['loc'])}: {first['msg']};"
        " correct that field in the shop's API, or its path in the profile"
    )


def _status_error(status: int, label: str, path: str, s: Settings, access: Access) -> NightshelfError:
    if status in UNAUTHORISED:
        who = f"user {s.shop_user!r}" if access.kind == "basic" else "the token"
        return AccessError(f"the shop refused {who} at {path} ({status}): check {access.settings}")
    tries = f", {s.shop_tries} times in a row" if _is_transient(status) else ""
    return (TransientError if _is_transient(status) else NightshelfError)(
        f"the shop answered {status} for {label}{tries}: check the shop's log, and that NIGHTSHELF_SHOP_URL"
        " and NIGHTSHELF_SHOP_PROFILE are right"
    )


def _field(location: tuple[int | str, ...]) -> str:
    parts = [str(part) for part in location]
    if parts and parts[-1] in UNION_MEMBERS:
        parts.pop()
    return ".".join(parts) or "the response"


def _is_transient(status: int) -> bool:
    return status == TOO_MANY_REQUESTS or status >= SERVER_ERROR
