"""Pulls the orders of a shop's API into staging, backwards or forwards, and goes on after a killed run."""

from collections.abc import Callable

import numpy as np

from pipelines.extract.http import ShopClient
from pipelines.extract.paging import Page, PagedReader, make_page
from pipelines.extract.shops.forward import ForwardReader, Part, Place, Reading
from pipelines.extract.shops.orders import OrderPage, OrderReader, keys_of
from pipelines.extract.staging import Note, Staging
from pipelines.run.progress import Progress

IsKnown = Callable[[Page], bool]
KEYS, IDS, NEXT, READING = "keys", "ids", "next", "reading"  # of the note of a page that was read forwards


def never(_: Page) -> bool:
    """Returns that no page is known."""
    return False


class OrderPull:
    """One pull of a shop's orders."""

    def __init__(self, reader: OrderReader, shop: ShopClient, staging: Staging, progress: Progress) -> None:
        self.reader, self.shop, self.staging, self.progress = reader, shop, staging, progress

    @property
    def is_forwards(self) -> bool:
        """Whether a killed run has begun to read forwards."""
        pages = self.staging.pages()
        return bool(pages) and KEYS in self.staging.note(pages[0])

    def turn_round(self) -> None:
        """Discards what was read backwards, since the shop lists its newest orders first."""
        for number in self.staging.pages():
            self.staging.drop(number)
        self.reader.newest_first = True

    async def read_backwards(self, is_known: IsKnown) -> None:
        """Reads back to the first known page; raises the errors of ShopClient.fetch and PagedReader.read."""
        staging = self.staging
        resumed = {number: make_page(**staging.note(number)) for number in staging.pages()}
        staged, refetched = set(resumed), {}

        async def fetch(number: int) -> Page:
            place = self.reader.first | {"page": number}
            page = await self.reader.with_details(self.shop, await self.reader.page(self.shop, place))
            note = _note(page)
            if number in staged:
                refetched[number] = [page.lines], note
            else:
                staged.add(number)
                staging.write(number, [page.lines], note)
            return make_page(**note)

        needed = await PagedReader(fetch, self.shop.concurrency, resumed, self.progress).read(is_known)
        # Refetched pages are written only now and by ascending number: a run that resumes from staging
        # assumes that of two pages the one with the lower number was fetched later.
        for number in sorted(refetched.keys() & set(needed)):
            staging.write(number, *refetched[number])
        for number in staged - set(needed):
            staging.drop(number)

    async def read_forwards(self, is_known: IsKnown) -> None:
        """Reads from the first page to the end, or to the first known page of a list of the newest first.

        Raises the errors of ShopClient.fetch and ForwardReader.read.
        """
        latest: dict[str, OrderPage] = {}

        async def fetch(place: Place) -> Part:
            page = latest[KEYS] = await self.reader.page(self.shop, place)
            known = self.reader.newest_first and is_known(make_page(**_note(page)))
            ids = keys_of(page.ids) if self.reader.changes_stay else None
            return Part(keys_of(page.content.entries), page.content.next, known, ids)

        async def keep(part: Part, reading: int) -> None:
            page = await self.reader.with_details(self.shop, latest[KEYS])
            note: Note = {KEYS: part.keys.tolist(), NEXT: part.next, READING: reading}
            note[IDS] = None if part.ids is None else part.ids.tolist()
            number = max(self.staging.pages(), default=0) + 1
            self.staging.write(number, [page.lines], note)

        pages = self.reader.api.pages
        shifts = pages is not None and pages.kind != "cursor"
        reader = ForwardReader(fetch, keep, shifts, self.progress)
        await reader.read(self.reader.first, *self._resumed())

    def _resumed(self) -> tuple[Reading | None, Place | None]:
        """Returns what a killed run saw, and where its first reading was to go on, None if it had ended."""
        notes = [self.staging.note(number) for number in self.staging.pages()]
        if not notes:
            return None, None
        return Reading([_part(note) for note in notes]), notes[-1][NEXT] if notes[-1][READING] == 1 else None


def _part(note: Note) -> Part:
    """Returns the page that was read forwards, from its note."""
    ids = note.get(IDS)
    return Part(
        np.array(note[KEYS], np.int64), note[NEXT], ids=None if ids is None else np.array(ids, np.int64)
    )


def _note(page: OrderPage) -> Note:
    """Returns the arguments of `make_page`: order ids, number of pages, first and last plausible day."""
    return {"ids": page.ids, "count": page.content.count or 0, "days": page.days}
