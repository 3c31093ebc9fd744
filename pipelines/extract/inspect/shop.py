"""Inspects a shop's API: reads one page of orders by a profile, and shows what came of it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines import columns as c
from pipelines.extract.http import ShopClient
from pipelines.extract.inspect import recognise, show
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.inspection import Inspection
from pipelines.extract.inspect.scan import Counting
from pipelines.extract.inspect.shop_profile import ShopGuess, changed, to_toml
from pipelines.extract.inspect.show import SEPARATOR
from pipelines.extract.inspect.values import with_none
from pipelines.extract.mapping_tables import alternatives
from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.shops.listing import Content, ListReader
from pipelines.extract.shops.orders import OrderPage, OrderReader
from pipelines.extract.shops.profile import Profile
from pipelines.extract.shops.rows import fields_of_lines
from pipelines.settings import Settings, settings
from serving.settings import read

ORDERS = 100  # of the page, at most
TRIES = 2  # of a request, as somebody waits
EMPTY = "what the orders are like: the list has none yet; repeat `nightshelf inspect` once it has some"


@dataclass(frozen=True)
class Seen:
    """One page of orders, the draft of what differs from the profile, and the profile with it."""

    page: OrderPage
    draft: Draft
    profile: Profile


def inspect_shop(url: str, profile: str | None) -> Inspection:
    """Returns the profile that reads a shop's API, as one page of its orders shows it.

    profile: a shipped name or the path of a TOML file; by default the shipped profiles are tried in turn.
    Raises NightshelfError if the shop can't be read, naming what to set.
    """
    name = profile or recognise.profile(url)
    seen = asyncio.run(_look(ShopApiSource(_settings(url, name))))
    orders = len(seen.page.content.entries)
    if not orders:
        seen.draft.undecided.append(EMPTY)
    counted = Counting(seen.profile)
    counted.add(seen.page.lines)
    counts = counted.result()
    intro = Text(f"{url}: {orders} orders of the first page, read by the profile {name}")
    report = Group(intro, _rows(seen), show.counts_table(counts), show.undecided(seen.draft.undecided))
    is_usable = orders > 0 and bool(counts.orders or counts.left_out)
    return Inspection(seen.draft, to_toml(seen.draft, name, url), is_usable, report)


def _settings(url: str, profile: str) -> Settings:
    size = min(ORDERS, settings().shop_page_size)
    given = {"shop_url": url, "shop_profile": profile, "shop_page_size": size, "shop_tries": TRIES}
    return read(Settings, **given)


async def _look(source: ShopApiSource) -> Seen:
    async with ShopClient(source.settings, source.profile.access, source.profile.limits) as shop:
        content = await _sent(source, shop)
        orders = _reader(source, source.profile).page_of(content).content.entries
        draft = ShopGuess(source, orders, content.entries).draft
        own = {"guests": source.dialect.guests, "identity": source.dialect.identity}
        profile = changed(source.profile.model_copy(update=own), draft)
        reader = _reader(source, profile)
        page = await reader.with_details(shop, reader.page_of(content))
    return Seen(page, draft, profile)


def _reader(source: ShopApiSource, profile: Profile) -> OrderReader:
    return OrderReader(profile, source.settings, "", "")


async def _sent(source: ShopApiSource, shop: ShopClient) -> Content:
    """Returns the first page of orders with all their fields, as the shop sends them."""
    reader = ListReader(source.profile.api, dict[str, Any], source.settings.shop_page_size)
    return await reader.read(shop, reader.first(since="", recent=""))


def _rows(seen: Seen) -> RenderableType:
    """Returns the table of what the profile reads of each line, beside the order line that it becomes."""
    profile = seen.profile
    frame = with_none(fields_of_lines(seen.page.content.entries, profile).to_pandas())
    prefix = f"{profile.nested.lines}." if profile.nested else ""
    raw = [_text(row, prefix) for row in frame.head(show.SHOWN).to_dict("records")]
    customer = alternatives(profile.columns[c.CUSTOMER]) if c.CUSTOMER in profile.columns else ()
    lines = seen.page.lines.slice(0, min(len(frame), show.SHOWN))
    return show.parsed_rows(lines, frame, raw, list(customer), "what the shop sends")


def _text(row: dict[Any, str | None], prefix: str) -> str:
    return SEPARATOR.join(f"{name.removeprefix(prefix)}: {value}" for name, value in row.items() if value)
