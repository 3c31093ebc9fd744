"""Source `shop-api`: a shop's own API, read page by page as a profile says."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.extract import raw
from pipelines.extract.http import ShopClient
from pipelines.extract.paging import NewestFirstError, Page
from pipelines.extract.shops.access import is_private
from pipelines.extract.shops.catalogue import read_products
from pipelines.extract.shops.listing import in_format
from pipelines.extract.shops.orders import OrderReader
from pipelines.extract.shops.profile import ECOM, Profile, Since, load_profile
from pipelines.extract.shops.pulling import OrderPull, never
from pipelines.extract.source import Dialect, LastPull, Position, source_name
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from pipelines.settings import Settings

log = logging.getLogger(__name__)
STARTED = "started"
OVERLAP = dt.timedelta(days=1)  # more than clocks and time zones of shop and profile can differ


class ShopApiSource:
    """Source `shop-api`: the orders and products of a shop's own API."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.profile = _profile(settings)
        self.dialect: Dialect = self.profile.model_copy(update=_own_rules(settings, self.profile))
        is_ecom = settings.shop_profile == ECOM
        parts = [settings.shop_address] + ([] if is_ecom else [settings.shop_profile])
        self.name = source_name("shop-api", *parts)
        self.description = f"the shop at {settings.shop_address}"
        self.plan = {
            "page_size": settings.shop_page_size,
            "since": settings.shop_since,
            "profile": self.profile.model_dump(mode="json"),
        }
        if is_ecom and not is_private(settings.shop_address):
            log.warning(
                "the shop's credentials are sent unencrypted: write NIGHTSHELF_SHOP_URL with https://"
            )
        elif not is_ecom:
            self.profile.access.check(settings)

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the shop's yesterday, because today's orders are incomplete."""
        return self.settings.yesterday(dt.datetime.now(dt.UTC))

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the new order lines to staging; the position is the time when the pull started.

        Requests the orders changed since the last pull, or created since the last known day, if the shop can
        filter them; or reads on until a page with only known orders. Raises the errors of ShopClient.fetch
        and of the readers.
        """
        asyncio.run(self._orders(last_pull, staging, progress))
        return {STARTED: staging.started.isoformat()} if self._filters_changes else {}

    def products(self) -> pa.Table | None:
        """Returns the present catalogue in the schema RAW_PRODUCTS; raises the errors of ShopClient.fetch."""
        if self.profile.catalogue is None:
            return None
        return asyncio.run(read_products(self.profile, self.profile.catalogue, self.settings))

    @property
    def _filters_changes(self) -> bool:
        return self.profile.api.since is not None and self.profile.api.since.by == "changed"

    async def _orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> None:
        since, recent = self._since(last_pull)
        is_known = self._known(last_pull) if last_pull and not since else never
        reader = OrderReader(self.profile, self.settings, since, recent)
        async with ShopClient(self.settings, self.profile.access, self.profile.limits) as shop:
            pull = OrderPull(reader, shop, staging, progress)
            if reader.can_read_backwards and not pull.is_forwards:
                try:
                    await pull.read_backwards(is_known)
                    return
                except NewestFirstError:
                    pull.turn_round()
            await pull.read_forwards(is_known)

    def _known(self, last_pull: LastPull) -> Callable[[Page], bool]:
        """Returns a test for pages that end before the overlap and hold only orders of raw/."""
        day = str(last_pull.last_day - dt.timedelta(days=self.settings.overlap_days))
        known = raw.order_hashes(self.name)
        return lambda page: page.last_day < day and len(page.ids) > 0 and bool(np.isin(page.ids, known).all())

    def _since(self, last_pull: LastPull | None) -> tuple[str, str]:
        """Returns the values of {since} and {recent} for the shop's filter, "" without a filter.

        {recent} goes back by the overlap, or by the profile's `recent_days` if they are more.
        """
        since = self.profile.api.since
        if last_pull is None or since is None:
            return "", ""
        midnight = dt.datetime.combine(last_pull.last_day, dt.time(), dt.UTC)
        overlap = self.settings.overlap_days
        moment = midnight - dt.timedelta(days=overlap)
        recent = midnight - dt.timedelta(days=max(overlap, since.recent_days))
        if since.by == "changed" and (started := last_pull.reached.get(STARTED)):
            moment = dt.datetime.fromisoformat(started) - OVERLAP
        timezone = self.profile.timezone
        return in_format(moment, since, timezone), in_format(recent, since, timezone)


def _own_rules(settings: Settings, profile: Profile) -> dict[str, Any]:
    """Returns the profile's fields for which the settings have a shop's own values."""
    identity, own = profile.identity, settings.shop_identity
    values = {"country": own.country or identity.country, "nobody": identity.nobody + own.nobody}
    return {"guests": profile.guests or settings.shop_guests, "identity": identity.model_copy(update=values)}


def _profile(settings: Settings) -> Profile:
    """Returns the profile that the settings name, with the filter of NIGHTSHELF_SHOP_SINCE if it has none."""
    profile = load_profile(settings.shop_profile)
    if not settings.shop_since or profile.api.since:
        return profile
    since = Since(by="created", query={settings.shop_since: "{since}"})
    return profile.model_copy(update={"api": profile.api.model_copy(update={"since": since})})
