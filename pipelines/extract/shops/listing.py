"""Reads single pages of a list of the shop's API: requests made of a profile's templates."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from pipelines.extract.http import NO_CONTENT, NOT_FOUND, Request, Response, ShopClient
from pipelines.extract.records import value_at
from pipelines.extract.shops import shape
from pipelines.extract.shops.forward import MOST_PAGES
from pipelines.extract.shops.profile import Listing, Since, merged
from serving.errors import NightshelfError

WORD = re.compile(r"\{(page|offset|size|cursor|since|recent|id|ids)\}")

Place = dict[str, Any]  # where a page begins: its number, or its cursor or link, and the filter's time; JSON
Entry = dict[str, Any]


@dataclass(frozen=True)
class Content:
    """The content of one page of a list."""

    entries: list[Entry]
    count: int | None  # pages of the list, if the shop says
    next: Place | None  # where the next page begins; None after the last page


class ListReader:
    """Reads pages of one list."""

    def __init__(self, listing: Listing, entry: Any, page_size: int) -> None:
        """entry: the type of an entry; page_size: entries per page."""
        self.listing = listing
        self.pages = listing.pages
        self.size = min(page_size, listing.size)
        pages = listing.pages
        fields = {pages.cursor: shape.Text, pages.more: shape.Flag} if pages else {}
        others = {path: kind for path, kind in fields.items() if path}
        count = pages.count if pages and pages.is_counted else ""
        self.shape: TypeAdapter[Any] = shape.response(
            listing.list, entry, count, others, bool(listing.graphql)
        )

    def first(self, **words: str) -> Place:
        """Returns where the list begins.

        words: what these words of the templates stand for: since, recent, id or ids.
        """
        return {"page": 1, "since": "", **words}

    async def read(self, shop: ShopClient, place: Place, since: Since | None = None) -> Content:
        """Fetches the page at a place; raises the errors of ShopClient.fetch."""
        request = self._request(place, since if place["since"] else None)
        response = await shop.fetch(request, self.shape)
        content = response.content
        entries = [] if content is None else _at(content, self.listing.list)
        if entries is None:
            raise NightshelfError(f"the shop's response to {request.label} lacks {self.listing.list}")
        count = self._count(response, request)
        return Content(entries, count, self._next(response, place, count, len(entries)))

    def _request(self, place: Place, since: Since | None) -> Request:
        listing = self.listing
        number = place["page"]
        values = place | {
            "page": number - 1 + (self.pages.first if self.pages else 1),
            "offset": (number - 1) * self.size,
            "size": self.size,
            "cursor": place.get("cursor") or None,
        }
        path = str(fill(listing.path, values))
        query = listing.query | (since.query if since else {})
        filled = {name: str(value) for name, value in fill(query, values).items() if value is not None}
        label = f"{path} page {number}"
        if not listing.graphql:
            return Request(path, label, filled, url=place.get("url", ""), empty=self._empty(place))
        variables = merged(listing.variables, since.variables if since else {})
        return Request(path, label, filled, {"query": listing.graphql, "variables": fill(variables, values)})

    def _empty(self, place: Place) -> tuple[int, ...]:
        """Returns the statuses of a page without entries; a list of one order is gone with the order."""
        if "id" in place:
            return NO_CONTENT, NOT_FOUND
        return () if self.pages is not None and self.pages.is_counted else (NO_CONTENT,)

    def _count(self, response: Response, request: Request) -> int | None:
        pages = self.pages
        if pages is None or not pages.is_counted:
            return None
        stated = (
            response.headers.get(pages.count_header)
            if pages.count_header
            else _at(response.content, pages.count)
        )
        if response.content is None:
            return 0
        try:
            count = int(str(stated))
        except ValueError:
            where = f"header {pages.count_header}" if pages.count_header else f"field {pages.count}"
            raise NightshelfError(
                f"the shop's response to {request.label} breaks the API's contract: {where} holds no number"
            ) from None
        count = count if pages.counts == "pages" else -(-count // self.size)
        if not 0 <= count <= MOST_PAGES:
            raise NightshelfError(
                f"the shop's response to {request.label} says that its list has {count:,} pages, of at most"
                f" {MOST_PAGES:,}: correct the shop's API, or `pages` in the profile"
            )
        return count

    def _next(self, response: Response, place: Place, count: int | None, entries: int) -> Place | None:
        """Returns where the next page begins, or None if the shop says or shows that there is none."""
        pages, number = self.pages, place["page"]
        after = {name: value for name, value in place.items() if name not in ("cursor", "url")}
        after["page"] = number + 1
        if pages is None or response.content is None or (pages.short_is_last and entries < self.size):
            return None
        if pages.kind == "link":
            return after | {"url": response.next_url} if response.next_url else None
        if pages.kind == "cursor":
            cursor = _at(response.content, pages.cursor)
            more = _at(response.content, pages.more) if pages.more else True
            return after | {"cursor": cursor} if cursor and more in (True, "true") else None
        return after if entries and (count is None or number < count) else None


def fill(template: Any, values: dict[str, Any]) -> Any:
    """Returns a template, of text in lists and objects, with its words replaced by values.

    A text that is one word becomes the value itself.

    >>> fill({"take": "{size}", "query": "id:>{cursor}"}, {"size": 5, "cursor": "7"})
    {'take': 5, 'query': 'id:>7'}
    """
    if isinstance(template, dict):
        return {name: fill(below, values) for name, below in template.items()}
    if isinstance(template, list):
        return [fill(below, values) for below in template]
    if not isinstance(template, str):
        return template
    if (word := WORD.fullmatch(template)) and word[1] in values:
        return values[word[1]]
    return WORD.sub(lambda word: str(values.get(word[1], word[0])), template)


def in_format(moment: dt.datetime, since: Since, timezone: str) -> str:
    """Returns a time as the shop's filter wants it."""
    return moment.astimezone(ZoneInfo(timezone)).strftime(since.format)


def _at(content: Any, path: str) -> Any:
    return value_at(content, path) if path else content
