"""Reads pages of a shop's list of orders, with the lists that the shop has only for single orders."""

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from pipelines import columns as c
from pipelines.extract.failures import broken_contract
from pipelines.extract.http import ShopClient
from pipelines.extract.mapping_tables import Refunds, alternatives
from pipelines.extract.records import value_at
from pipelines.extract.shops import shape
from pipelines.extract.shops.forward import Keys, Place
from pipelines.extract.shops.listing import Content, Entry, ListReader
from pipelines.extract.shops.profile import Detail, Profile
from pipelines.extract.shops.rows import lines_of_orders, texts, value_of, values_at
from pipelines.extract.source import latest_plausible_day
from pipelines.settings import Settings
from serving.errors import NightshelfError

log = logging.getLogger(__name__)
SOURCE = "shop-api"
NO = (None, "", "false", False, "0")  # values with which a shop says that there is no such list


@dataclass(frozen=True)
class OrderPage:
    """One page of orders."""

    content: Content
    profile: Profile

    @cached_property
    def lines(self) -> pa.Table:
        """The order lines, in columns of RAW_ORDERS."""
        lines = lines_of_orders(self.content.entries, self.profile, "the shop's list of orders")
        return lines.append_column(c.SOURCE, pa.repeat(pa.scalar(SOURCE), lines.num_rows))

    @property
    def ids(self) -> list[str]:
        """The ids of the orders."""
        column = self.profile.columns[c.ORDER_ID]
        if isinstance(column, str):
            return [text or "" for text in texts(self.content.entries, column).to_pylist()]
        return [value_of(entry, column) or "" for entry in self.content.entries]

    @property
    def days(self) -> list[str]:
        """The first and the last plausible day of an order, none if no time is readable."""
        days = pc.unique(pc.utf8_slice_codeunits(self.lines[c.ORDERED_AT], 0, c.ISO_DAY_LENGTH))
        limit = latest_plausible_day()
        readable = days.filter(pc.match_substring_regex(days, c.ISO_DAY)).to_pylist()
        plausible = sorted(day for day in readable if day <= limit)
        return [plausible[0], plausible[-1]] if plausible else []


class OrderReader:
    """Reads pages of the list of orders of one shop."""

    def __init__(self, profile: Profile, settings: Settings, since: str, recent: str) -> None:
        """since, recent: the times for the filter; "" for all orders."""
        self.profile, self.api = profile, profile.api
        self.tree = shape.tree(_paths(profile))
        self.list = ListReader(self.api, self._entry(), settings.shop_page_size)
        self.first = self.list.first(since=since, recent=recent)
        self.details = [
            (detail, ListReader(detail, self._entry_of(detail), settings.shop_page_size))
            for detail in self.api.details
        ]
        self.newest_first = self.api.order == "newest_first"

    @property
    def can_read_backwards(self) -> bool:
        """Whether the list may be read from its last page: it has page numbers, and may be oldest first."""
        pages = self.api.pages
        return pages is not None and pages.is_counted and self.api.order in (None, "oldest_first")

    @property
    def changes_stay(self) -> bool:
        """Whether a changed order stays where it is in the list, or moves to its front."""
        return self.newest_first or self.api.order == "oldest_first"

    async def page(self, shop: ShopClient, place: Place) -> OrderPage:
        """Fetches the page at a place, without the lists of single orders."""
        content = await self.list.read(shop, place, self.api.since)
        return OrderPage(self._restarted(content, place), self.profile)

    def page_of(self, content: Content) -> OrderPage:
        """Returns the page of orders in the form in which the shop sends them, with all their fields.

        Raises NightshelfError, naming the field, if an order lacks one or has it in another form.
        """
        try:
            entry: TypeAdapter[Any] = TypeAdapter(self._entry())
            entries = [entry.validate_python(sent) for sent in content.entries]
        except ValidationError as error:
            raise broken_contract(error, f"{self.api.path} page 1") from None
        return OrderPage(Content(entries, content.count, content.next), self.profile)

    async def with_details(self, shop: ShopClient, page: OrderPage) -> OrderPage:
        """Returns the page with what the shop lists only for single orders, fetched and put into them."""
        for detail, reader in self.details:
            entries = [entry for entry in page.content.entries if _wanted(entry, detail)]
            if detail.key and entries:
                await self._add_to_all(shop, detail, reader, entries)
            elif entries:
                await asyncio.gather(*(self._add(shop, detail, reader, entry) for entry in entries))
        self._warn_of_cut(page)
        return OrderPage(page.content, page.profile)  # whose lines are not made yet

    def _warn_of_cut(self, page: OrderPage) -> None:
        for path in self.api.cut:
            ids = [self._id(entry) for entry in page.content.entries if _has_value(entry, (path,))]
            if ids:
                log.warning(
                    "the shop shows only a part of a list of %s orders, such as %s (%s): what is beyond is"
                    " not read",
                    *(len(ids), ids[0], path),
                )

    async def _add(self, shop: ShopClient, detail: Detail, reader: ListReader, entry: Entry) -> None:
        put(entry, detail.into, await _whole(shop, reader, id=self._id(entry)))

    async def _add_to_all(
        self, shop: ShopClient, detail: Detail, reader: ListReader, entries: list[Entry]
    ) -> None:
        by_order = defaultdict(list)
        for item in await _whole(shop, reader, ids="|".join(map(self._id, entries))):
            by_order[value_at(item, detail.key)].append(item)
        for entry in entries:
            put(entry, detail.into, by_order[self._id(entry)])

    def _id(self, entry: Entry) -> str:
        return value_of(entry, alternatives(self.profile.columns[c.ORDER_ID])[-1]) or ""

    def _entry_of(self, detail: Detail) -> Any:
        """Returns the type of an entry of a detail's list."""
        below = shape.subtree(self.tree, f"{detail.into}.{shape.ANY}")
        begin = f"{detail.into}.{shape.ANY}."
        flags = {path.removeprefix(begin) for path in _flags(self.profile) if path.startswith(begin)}
        return shape.shape(below | (shape.tree([detail.key]) if detail.key else {}), (), flags)

    def _entry(self) -> Any:
        """Returns the type of an order in the list."""
        root = self.tree
        for detail in self.api.details:
            root = root if detail.when else shape.without(root, detail.into)
        elsewhere = tuple(f"{detail.into}." for detail in self.api.details)
        required = {
            path for path in _required(self.profile) if not f"{path}.".startswith(elsewhere or ("\0",))
        }
        return shape.shape(root, required, _flags(self.profile))

    def _restarted(self, content: Content, place: Place) -> Content:
        """Begins the list anew by its filter where the shop ends it after a number of entries."""
        most = self.api.pages.objects if self.api.pages else 0
        if not most or content.next is None or not content.entries:
            return content
        read = place.get("read", 0) + len(content.entries)
        following = content.next | {"read": read}
        if read + self.list.size > most:
            changed = value_of(content.entries[-1], self.profile.columns[c.CHANGED_AT])
            if not changed or changed == place["since"]:
                raise NightshelfError(
                    f"the shop ends its list of orders after {most:,} and changed more of them at the same"
                    " moment, so that the others can't be listed: ask the shop for another way"
                )
            following = {**self.first, "page": content.next["page"], "since": changed}
        return Content(content.entries, content.count, following)


async def _whole(shop: ShopClient, reader: ListReader, **words: str) -> list[Entry]:
    """Returns all entries of a list; words: the values of words in its templates."""
    entries: list[Entry] = []
    place: Place | None = reader.first(**words)
    while place is not None:
        content = await reader.read(shop, place)
        entries += content.entries
        place = content.next
    return entries


def keys_of(entries: Iterable[object]) -> Keys:
    """Returns a key of each entry's content, or of each id, the same in every process."""
    digests = (hashlib.blake2b(repr(entry).encode(), digest_size=8).digest() for entry in entries)
    return np.array([int.from_bytes(digest, signed=True) for digest in digests], np.int64)


def put(entry: Entry, path: str, value: Any) -> None:
    """Puts a value at a path of an entry, whose objects on the way are made where they are missing."""
    *way, last = path.split(".")
    for step in way:
        if not isinstance(entry.get(step), dict):
            entry[step] = {}
        entry = entry[step]
    entry[last] = value


def _wanted(entry: Entry, detail: Detail) -> bool:
    return not detail.conditions or _has_value(entry, detail.conditions)


def _has_value(entry: Entry, paths: tuple[str, ...]) -> bool:
    """Returns whether one of the paths has a value other than false."""
    return any(value not in NO for path in paths for value in values_at(entry, path))


def _paths(profile: Profile) -> list[str]:
    """Returns the paths of all that the profile reads of an order."""
    paths = [_listed(path, profile) for path in profile.source_columns]
    for refunds in profile.refunds:
        begin = f"{refunds.lines}."
        paths += [name.replace(begin, f"{begin}{shape.ANY}.", 1) for name in refunds.source_columns]
        paths += _changes(refunds)
    return [*paths, *profile.api.cut, *_conditions(profile)]


def _conditions(profile: Profile) -> list[str]:
    return [path for detail in profile.api.details for path in detail.conditions]


def _changes(refunds: Refunds) -> list[str]:
    """Returns the paths of the changes of an order's own lines."""
    changes = refunds.changes
    if changes is None:
        return []
    begin = f"{changes.lines}."
    named = (changes.line, changes.quantity, changes.refund)
    return [name.replace(begin, f"{begin}{shape.ANY}.", 1) for name in named]


def _listed(path: str, profile: Profile) -> str:
    """Returns a path with the step through the list of an order's lines."""
    lines = profile.nested.lines if profile.nested else ""
    return path.replace(f"{lines}.", f"{lines}.{shape.ANY}.", 1) if path.startswith(f"{lines}.") else path


def _required(profile: Profile) -> set[str]:
    """Returns the paths that each order must have: those of the columns that every order line needs."""
    required = set()
    for name in (c.ORDER_ID, c.ORDERED_AT, c.PRODUCT, c.QUANTITY):
        column = profile.columns.get(name)
        if isinstance(column, str):
            steps = _listed(column, profile).split(".")
            required |= {".".join(steps[:end]) for end in range(1, len(steps) + 1)}
    return required


def _flags(profile: Profile) -> set[str]:
    """Returns the paths that may be true or false."""
    rules = [*profile.leave_out, *(rule for refunds in profile.refunds for rule in refunds.ignore)]
    paths = [*(rule.column for rule in rules), *_conditions(profile), *profile.api.cut]
    listed = (_listed(path, profile) for path in paths)
    return {".".join(shape.ANY if step.isdecimal() else step for step in path.split(".")) for path in listed}
