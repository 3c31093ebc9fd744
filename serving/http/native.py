"""The API for BentoML's own clients, which call the service's methods by name."""

from typing import Any

from bentoml import IODescriptor
from pydantic import create_model

from serving.errors import NightshelfError, Problem
from serving.http import endpoints
from serving.http.parsing import from_fields
from serving.http.requests import BatchQuery, RequestModel
from serving.live.identity import Pseudonymiser, rule_of
from serving.live.served import ServingState


def input_spec(model: type[RequestModel]) -> type[IODescriptor]:
    """Returns a request model as the input description that BentoML publishes at /schema.json."""
    fields: dict[str, Any] = {name: (field.annotation, field) for name, field in model.model_fields.items()}
    spec: type[IODescriptor] = create_model(model.__name__, __base__=IODescriptor, **fields)
    return spec


async def answer(state: ServingState, fields: dict[str, Any], key: str) -> dict[str, Any]:
    """Returns items for many customers.

    Raises NightshelfError without a live model and for invalid parameters.
    """
    if (served := state.current()) is None:
        raise NightshelfError(f"no model is live: {state.reason}")
    identify = Pseudonymiser(key, rule_of(served.bundle.manifest))
    try:
        return endpoints.of_many(served, from_fields(BatchQuery, fields, identify)).whole()
    except Problem as problem:
        raise NightshelfError(problem.body["error"]["message"]) from None
