"""The service as a shop sees it, and where all else of the stack is found."""

from functools import partial
from typing import Any
from urllib.parse import quote

import httpx

from expectations import data_docs
from pipelines.settings import Settings, address
from pipelines.stack.board import console
from pipelines.stack.waiting import wait_for
from serving.errors import NightshelfError


def serves(settings: Settings) -> bool:
    """Whether a champion is live."""
    try:
        return httpx.get(f"{_url(settings)}/readyz").is_success
    except httpx.TransportError:
        return False


def ask(settings: Settings, question: str) -> Any:
    """The service's answer, once a champion is live; raises NightshelfError where it gives none."""
    wait_for(partial(serves, settings), f"the service at {_url(settings)} finds no champion: see its log")
    if settings.keys_path.exists():
        raise NightshelfError(f"the service asks for a key (file {settings.keys_path}), so ask it yourself")
    try:
        return httpx.get(f"{_url(settings)}{question}").raise_for_status().json()
    except httpx.HTTPError as error:
        raise NightshelfError(f"the service doesn't answer {question} ({type(error).__name__})") from None


def welcome(settings: Settings) -> None:
    """Prints the addresses, the logins and, once a champion is live, a question to ask."""
    for name, where, login in _addresses(settings):
        console.print(f"  {name:<8} {where:<22} {login}".rstrip(), markup=False)
    if serves(settings):
        console.print(f"Ask it: {_command(settings)}", markup=False)
    console.print("Ctrl-C ends all of it")


def _url(settings: Settings) -> str:
    return address(settings, settings.serving_port)


def _addresses(s: Settings) -> list[tuple[str, str, str]]:
    # A terminal is for its user's eyes; anything else may be kept.
    password = s.airflow_password.get_secret_value() if console.is_terminal else "NIGHTSHELF_AIRFLOW_PASSWORD"
    return [
        ("service", _url(s), ""),
        ("Airflow", address(s, s.airflow_port), f"user admin, password {password}"),
        ("MLflow", s.mlflow_uri or address(s, s.mlflow_port), ""),
        ("Data Docs", str(data_docs(s.home)), ""),
        ("shop", s.shop_address, f"user {s.shop_user}, password NIGHTSHELF_SHOP_PASSWORD of .env"),
    ]


def _command(settings: Settings) -> str:
    if settings.keys_path.exists():  # and whoever has one knows it alone
        return f"curl -H 'Authorization: Bearer KEY' '{_url(settings)}/v1/popular?n=5'"
    return f"curl '{_url(settings)}{_question(settings)}'"


def _question(settings: Settings) -> str:
    """What goes with the most popular product."""
    product = ask(settings, "/v1/popular?n=1")["items"][0]["product"]
    return f"/v1/products/{quote(product, safe='')}/bought-together?n=5"
