"""Stores of changes and events, and applications that use them."""

from pathlib import Path
from typing import Any

import bundles
from clients import Client
from pydantic import SecretStr

from serving.bundle.format import Bundle
from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.served import Served, ServingState
from serving.settings import ServingSettings

BACKENDS = ("sqlite", "postgresql")


def open_changes(home: Path, url: str = "", **settings: Any) -> Changes:
    """Returns the changes of the store at a URL, or in a home folder, as a new worker loads them."""
    changes = Changes(ServingSettings(home=home, store_url=SecretStr(url), **settings))
    changes.refresh()
    return changes


def client_for(bundle: Bundle, changes: Changes) -> Client:
    """Returns a client of an application that serves a bundle with changes."""
    return Client(create_app(ServingState(Served("7", bundle), changes=changes), bundles.KEY))
