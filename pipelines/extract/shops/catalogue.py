"""Reads a shop's list of products."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pyarrow as pa

from pipelines import columns as c
from pipelines.extract.http import ShopClient
from pipelines.extract.mapping_tables import alternatives
from pipelines.extract.paging import Page, PagedReader, make_page
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.extract.shops import shape
from pipelines.extract.shops.forward import ForwardReader, Part, Place
from pipelines.extract.shops.listing import Content, ListReader
from pipelines.extract.shops.orders import keys_of
from pipelines.extract.shops.profile import Catalogue, Profile
from pipelines.extract.shops.rows import products, value_of
from pipelines.run.progress import silent
from pipelines.settings import Settings

Keep = Callable[[int, Content], None]


async def read_products(profile: Profile, catalogue: Catalogue, settings: Settings) -> pa.Table:
    """Returns the products of a shop in the schema RAW_PRODUCTS; raises the errors of ShopClient.fetch."""
    reader = ListReader(catalogue, entry_type(catalogue), settings.shop_page_size)
    tables: dict[int, pa.Table] = {}

    def keep(number: int, content: Content) -> None:
        tables[number] = products(content.entries, catalogue, profile.minor_units)

    async with ShopClient(settings, profile.access, profile.limits) as shop:
        if catalogue.pages and catalogue.pages.is_counted:
            await _read_backwards(reader, shop, catalogue, keep)
        else:
            await _read_forwards(reader, shop, catalogue, keep)
    return pa.concat_tables([RAW_PRODUCTS.empty_table(), *tables.values()])


async def _read_backwards(reader: ListReader, shop: ShopClient, catalogue: Catalogue, keep: Keep) -> None:
    async def fetch(number: int) -> Page:
        content = await reader.read(shop, {"page": number, "since": ""})
        keep(number, content)
        ids = [value_of(entry, catalogue.columns[c.PRODUCT]) or "" for entry in content.entries]
        return make_page(ids, content.count or 0, [])

    await PagedReader(fetch, shop.concurrency, {}, silent).read(lambda _: False)


async def _read_forwards(reader: ListReader, shop: ShopClient, catalogue: Catalogue, keep: Keep) -> None:
    latest: list[Content] = []

    async def fetch(place: Place) -> Part:
        content = await reader.read(shop, place)
        latest[:] = [content]
        return Part(keys_of(content.entries), content.next)

    kept = count(1)

    async def keep_latest(_: Part, __: int) -> None:
        keep(next(kept), latest[0])

    shifts = catalogue.pages is not None and catalogue.pages.kind != "cursor"
    await ForwardReader(fetch, keep_latest, shifts, silent).read(reader.first())


def entry_type(catalogue: Catalogue) -> Any:
    """Returns the type of a product in the list."""
    paths = [path for column in catalogue.columns.values() for path in alternatives(column)]
    product = catalogue.columns[c.PRODUCT]
    required = {product} if isinstance(product, str) and "." not in product else set()
    tree = shape.tree(paths)
    return shape.shape(tree, required, shape.leaves(tree) - required)
