"""What BentoML is told of the routes that its own clients call by name."""

from typing import Any

from bentoml import IODescriptor
from pydantic import create_model

from serving.errors import NightshelfError, Problem
from serving.http import endpoints
from serving.http.parsing import from_fields
from serving.http.requests import BatchQuery, RequestModel
from serving.live.served import Live


def spec(kind: type[RequestModel]) -> type[IODescriptor]:
    """A question as BentoML describes it to its clients at /schema.json."""
    fields: dict[str, Any] = {name: (one.annotation, one) for name, one in kind.model_fields.items()}
    described: type[IODescriptor] = create_model(kind.__name__, __base__=IODescriptor, **fields)
    return described


async def answer(live: Live, asked: dict[str, Any], key: str) -> dict[str, Any]:
    """Items for many customers, asked within the process; raises NightshelfError for a wrong question."""
    if (served := live.now()) is None:
        raise NightshelfError(f"no model is live: {live.reason}")
    try:
        return await endpoints.of_many(served, from_fields(BatchQuery, asked, key))
    except Problem as problem:
        raise NightshelfError(problem.body["error"]["message"]) from None
