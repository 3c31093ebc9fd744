"""One operation of the HTTP interface: its method and path, its request, the function that answers."""

from collections.abc import Callable
from typing import Any, NamedTuple

from serving.http.requests import RequestModel
from serving.live.served import Served


class Operation(NamedTuple):
    """A row of the table of routes, from which the application and its OpenAPI document are made."""

    method: str
    path: str  # as Starlette writes it, `{customer:id}` for a parameter
    request: type[RequestModel]
    endpoint: Callable[[Served, Any], Any]  # may be async; its return annotation names the response's shape
