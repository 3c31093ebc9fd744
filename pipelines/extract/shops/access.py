"""How a shop's API authenticates requests, and how many it allows."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import Field

from pipelines.settings import Settings
from serving.errors import NightshelfError
from serving.toml import FrozenModel

LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test", ".svc")


class Access(FrozenModel):
    """How the shop's API authenticates a request; secrets are settings, never part of a profile."""

    kind: Literal["none", "basic", "token_as_user", "bearer", "header"] = "basic"
    header: str = Field("", pattern="^[A-Za-z0-9-]*$")  # of kind `header`: the header that holds the token

    @property
    def settings(self) -> str:
        """The names of the settings that hold the credentials."""
        if self.kind == "basic":
            return "NIGHTSHELF_SHOP_USER and NIGHTSHELF_SHOP_PASSWORD"
        return "NIGHTSHELF_SHOP_TOKEN"

    def headers(self, settings: Settings) -> dict[str, str]:
        """Returns the headers of a request with the credentials from the settings."""
        token = settings.shop_token.get_secret_value()
        if self.kind == "basic":
            password = settings.shop_password.get_secret_value()
            return {"Authorization": aiohttp.encode_basic_auth(settings.shop_user, password)}
        if self.kind == "token_as_user":
            return {"Authorization": aiohttp.encode_basic_auth(token, "")}
        if self.kind == "bearer":
            return {"Authorization": f"Bearer {token}"}
        return {self.header: token} if self.kind == "header" else {}

    def check(self, settings: Settings) -> None:
        """Raises NightshelfError if the token is missing, or if the Internet could read the credentials."""
        if self.kind in ("none", "basic"):
            has_secret = self.kind == "basic" and bool(settings.shop_password.get_secret_value())
        elif not (has_secret := bool(settings.shop_token.get_secret_value())):
            raise NightshelfError(
                "the profile of the shop's API needs a token: set NIGHTSHELF_SHOP_TOKEN to the one that the"
                " shop shows for it"
            )
        if has_secret and not is_private(settings.shop_address):
            raise NightshelfError(
                f"NIGHTSHELF_SHOP_URL ({settings.shop_address}) would send the credentials unencrypted: write"
                " it with https://"
            )


class Limits(FrozenModel):
    """What a shop's API allows; the settings NIGHTSHELF_SHOP_RATE and _CONCURRENCY can only lower it."""

    rate: float = Field(1e6, gt=0)  # requests per second
    concurrency: int = Field(1000, ge=1)  # requests at once
    reset_ms: str = ""  # the header with the milliseconds to wait, where a shop has it beside Retry-After


def is_private(url: str) -> bool:
    """Returns whether credentials sent there stay secret: by https, or on a local network.

    >>> [is_private(url) for url in ("https://a.example", "http://10.0.0.7", "http://shop:80", "http://a.example")]
    [True, True, True, False]
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return True
    try:
        address = ipaddress.ip_address(host)
        return address.is_private or address.is_loopback or address.is_link_local
    except ValueError:
        return "." not in host or host.endswith(LOCAL_ENDINGS)
