"""Recognises the kind of shop at an address: which shipped profile's list of orders answers."""

import asyncio

from pipelines.extract.failures import AccessError, UnreachableError
from pipelines.extract.http import ShopClient
from pipelines.extract.shops.access import Access
from pipelines.extract.shops.orders import OrderReader
from pipelines.extract.shops.profile import Profile, load_profile, shipped
from pipelines.settings import Settings, settings
from serving.errors import NightshelfError
from serving.settings import read

SECONDS = 10.0  # of a request, at most


def profile(url: str) -> str:
    """Returns the name of the first shipped profile whose list of orders answers; one request for each.

    Raises NightshelfError if none answers, naming the profiles whose lists exist but refuse the credentials.
    """
    refused = []
    for name in shipped():
        try:
            if asyncio.run(_answers(name, url)):
                return name
        except AccessError:
            refused.append(f"{name} ({load_profile(name).access.settings})")
    if refused:
        raise NightshelfError(
            f"the shop at {url} refused the credentials for {', '.join(refused)}: set those of your shop's"
            " software, and name its profile by --profile"
        )
    raise NightshelfError(
        f"the shop at {url} answers to none of the shipped profiles ({', '.join(shipped())}): correct the"
        " address, or write a profile of your own (docs/guides/shop-apis.md) and name its file by --profile"
    )


async def _answers(name: str, url: str) -> bool:
    """Returns whether the list of orders of a profile is there; raises AccessError if access is refused."""
    seconds = min(SECONDS, settings().shop_timeout)
    given = {"shop_url": url, "shop_profile": name, "shop_tries": 1, "shop_page_size": 1}
    own = read(Settings, **given, shop_timeout=seconds)
    tried = load_profile(name)
    reader = OrderReader(tried, own, "", "")
    async with ShopClient(own, _access(tried, own), tried.limits) as shop:
        try:
            await reader.page(shop, reader.first)
        except (AccessError, UnreachableError):
            raise
        except NightshelfError:
            return False
    return True


def _access(tried: Profile, own: Settings) -> Access:
    """Returns how to authenticate; not at all where credentials are missing or would be read on the way."""
    try:
        tried.access.check(own)
    except NightshelfError:
        return Access(kind="none")
    return tried.access
