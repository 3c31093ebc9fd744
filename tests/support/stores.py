"""Stores of changes and events, in SQLite and in a real PostgreSQL, and applications over them."""

from pathlib import Path
from typing import Any

import bundles
from clients import Client
from pydantic import SecretStr

from serving.bundle.format import Bundle
from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.served import Live, Served
from serving.settings import ServingSettings

BACKENDS = ("sqlite", "postgresql")


def changes(home: Path, url: str = "", **settings: Any) -> Changes:
    """What the store at a URL holds, or that in a home, as one more worker knows it."""
    found = Changes(ServingSettings(home=home, store_url=SecretStr(url), **settings))
    found.look()
    return found


def shop(bundle: Bundle, known: Changes) -> Client:
    """A client of an application that answers from a bundle and from changes."""
    return Client(create_app(Live(Served("7", bundle), changes=known), bundles.KEY))
