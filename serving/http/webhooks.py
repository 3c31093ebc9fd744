"""Webhooks of shops: checks the signature of a request, and reads the order in it.

The signature stands for an API key: it is an HMAC-SHA256 of the body as it was sent, with a secret that the
shop and the service share. Without a secret in the settings a profile accepts nothing.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import Request

from serving.access import rate
from serving.access.rate import RateLimiter
from serving.errors import Problem
from serving.http import shop_orders
from serving.http.shop_orders import PROFILE_NAMES, Profile, ProfileName
from serving.live.identity import Pseudonymiser
from serving.live.orders import Order
from serving.settings import ServingSettings

# WooCommerce sends it, without a signature, when a webhook is saved.
PING = re.compile(rb"webhook_id=\d{1,20}")


@dataclass(frozen=True)
class Webhook:
    """The order in a webhook; None if the webhook is about something else."""

    order: Order | None


class Webhooks:
    """The webhooks that the settings allow; without settings none."""

    def __init__(self, settings: ServingSettings | None = None, limiter: RateLimiter | None = None) -> None:
        self.limiter = limiter
        self.profiles = shop_orders.load(settings.webhook_profiles if settings else "")
        self.secrets = {name: settings.webhook_secret(name) for name in PROFILE_NAMES} if settings else {}

    async def parse(self, request: Request, identify: Pseudonymiser) -> Webhook:
        """Returns the webhook in a request; raises Problem 401, 404, 422 or 429."""
        name, secret = self._admitted(request.path_params["profile"])
        profile: Profile = getattr(self.profiles, name)
        body = await request.body()
        if name == "woocommerce" and PING.fullmatch(body):
            return Webhook(None)
        if not is_signed(body, request.headers.get(profile.signature, ""), secret, profile):
            message = (
                f"no valid signature in the header {profile.signature}: check that the shop has the secret"
            )
            raise Problem(401, "unauthorized", f"{message} of NIGHTSHELF_WEBHOOK_SECRET_{name.upper()}")
        rate.require(self.limiter, f"webhook:{name}", "the webhook")
        return _read(profile, name, request.headers, body, identify)

    def _admitted(self, name: str) -> tuple[ProfileName, str]:
        """Returns a profile's name and its secret; raises Problem 404 if it has none."""
        for known in PROFILE_NAMES:
            if known == name and (secret := self.secrets.get(known)):
                return known, secret
        message = (
            "profile: there is no such profile, or it has no secret: set NIGHTSHELF_WEBHOOK_SECRET_<PROFILE>"
        )
        raise Problem(404, "unknown_profile", f"{message} ({', '.join(PROFILE_NAMES)})", "profile")


def is_signed(body: bytes, signature: str, secret: str, profile: Profile) -> bool:
    """Returns whether a signature is the HMAC-SHA256 of a body; takes the same time for every signature."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    try:
        sent = (
            base64.b64decode(signature, validate=True)
            if profile.encoding == "base64"
            else bytes.fromhex(signature)
        )
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(sent, digest)


def _read(
    profile: Profile, name: ProfileName, headers: Headers, body: bytes, identify: Pseudonymiser
) -> Webhook:
    topic = headers.get(profile.topic, "") if profile.topic else ""
    if topic and topic not in (*profile.topics, *profile.deleted):
        return Webhook(None)
    try:
        record: Any = from_json(body)
    except ValueError:
        raise Problem(422, "malformed_order", "body: Invalid JSON") from None
    # The topic isn't signed: an order sent earlier, sent again as a deletion, still has its lines.
    is_deleted = topic in profile.deleted and shop_orders.value_at(record, profile.lines) is None
    return Webhook(shop_orders.read(profile, name, record, is_deleted, identify.of_id))
