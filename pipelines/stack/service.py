"""The running service and the addresses of the stack, as `nightshelf up` shows them."""

from typing import Any
from urllib.parse import quote

import httpx

from expectations import data_docs
from pipelines.settings import Settings, address
from pipelines.stack.board import console
from pipelines.stack.supervisor import Supervisor
from pipelines.stack.waiting import wait_for
from serving.errors import NightshelfError, without_secrets

TIMEOUT = 60


def is_ready(settings: Settings) -> bool:
    """Whether the service has loaded a champion."""
    try:
        return httpx.get(f"{_url(settings)}/readyz", timeout=TIMEOUT).is_success
    except httpx.TransportError:
        return False


def wait_until_ready(settings: Settings, supervisor: Supervisor) -> None:
    """Returns when the service has loaded a champion; raises NightshelfError if a program doesn't stay up."""

    def is_done() -> bool:
        supervisor.check()
        return is_ready(settings)

    wait_for(is_done, f"the service at {_url(settings)} to load the champion; see its log")


def fetch(settings: Settings, path: str) -> Any:
    """The service's JSON response to a GET; raises NightshelfError if it requires a key or fails."""
    if settings.keys_path.exists():
        raise NightshelfError(
            f"the service requires an API key (file {settings.keys_path}): send a request with a key"
        )
    try:
        return httpx.get(f"{_url(settings)}{path}", timeout=TIMEOUT).raise_for_status().json()
    except httpx.HTTPError as error:
        raise NightshelfError(
            f"the service failed to answer {path} ({type(error).__name__}): see its log"
        ) from None


def welcome(settings: Settings) -> None:
    """Prints addresses and logins, and an example request if the service has a champion."""
    for name, location, login in _addresses(settings):
        console.print(f"  {name:<8} {location:<22} {login}".rstrip(), markup=False)
    if is_ready(settings):
        console.print(f"Try it: {_example(settings)}", markup=False)
    console.print("Ctrl-C stops everything")


def _url(settings: Settings) -> str:
    return address(settings, settings.serving_port)


def _addresses(s: Settings) -> list[tuple[str, str, str]]:
    # Only a person sees a terminal; any other output may be stored.
    password = s.airflow_password.get_secret_value() if console.is_terminal else "NIGHTSHELF_AIRFLOW_PASSWORD"
    return [
        ("service", _url(s), ""),
        ("Airflow", address(s, s.airflow_port), f"user admin, password {password}"),
        ("MLflow", without_secrets(s.mlflow_uri) or address(s, s.mlflow_port), ""),
        ("Data Docs", str(data_docs(s.home)), ""),
        ("shop", s.shop_address, f"user {s.shop_user}, password NIGHTSHELF_SHOP_PASSWORD of .env"),
    ]


def _example(settings: Settings) -> str:
    """A curl command: what is bought together with the most popular product."""
    if settings.keys_path.exists():  # the file holds only hashes, so the user fills in the key
        return f"curl -H 'Authorization: Bearer KEY' '{_url(settings)}/v1/popular?n=5'"
    product = fetch(settings, "/v1/popular?n=1")["items"][0]["product"]
    return f"curl '{_url(settings)}/v1/products/{quote(product, safe='')}/bought-together?n=5'"
