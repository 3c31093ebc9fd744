"""One operation of the HTTP interface: method, path, request model and endpoint."""

from collections.abc import Callable
from typing import Any, NamedTuple

from serving.http.requests import RequestModel


class Operation(NamedTuple):
    """A row of the route table, from which the application and its OpenAPI document are built."""

    method: str
    path: str  # in Starlette's syntax, `{customer:id}` for a parameter
    request: type[RequestModel]
    endpoint: Callable[[Any, Any], Any]  # may be async; its return annotation names the response's shape
    signed: bool = False  # whether a signature of the body stands for an API key: serving.http.webhooks
    needs_model: bool = True  # False: the endpoint takes StoreAlone, too, until the first model is live
