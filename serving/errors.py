"""What a user can cause and mend; shown as one line, never as a traceback."""

from pydantic import ValidationError


class NightshelfError(Exception):
    """Says what is wrong, where, and what to do, in one sentence a user can act on."""


class TransientError(NightshelfError):
    """Something that may pass by itself: a later try can help."""


class BundleError(NightshelfError):
    """A bundle is missing, truncated, tampered with or of another format."""


class RegistryError(NightshelfError):
    """The registry can't be reached, or holds nothing to serve."""


class StoreError(TransientError):
    """The database of changes and events gives no answer."""


class Problem(Exception):  # noqa: N818 - an answer like any other, not a failure of the service
    """A request that gets no answer: an HTTP status, a code, a sentence, and the field at fault."""

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


def validation_message(error: ValidationError) -> str:
    """What a validation found wrong and where, in one line and without the values."""
    found = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
