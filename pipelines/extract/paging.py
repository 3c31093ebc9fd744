"""Reads a paged list backwards from its newest page while the list changes.

New entries extend the last pages. A late entry or a deletion shifts all entries after it, and some
responses hold another page than the requested page. A shift between two responses can hide an entry from
both. So once all pages are read, the reader fetches the newest pages again, as many as it fetches
concurrently:

- If they are unchanged, nothing has shifted, because all pages before them were fetched after them.
- If one has changed, the reader fetches as many pages before them again, and so on; then it starts over at
  the newest page, until all pages are unchanged.

The same check runs where an earlier, killed run stopped, and before each page that turned out wrong.

A page is doubtful if it shares its first or last entry with another page, is shorter than others, or holds
only known entries. The reader fetches a doubtful page until three responses in a row agree.

Not detected: shifts that cancel out between two responses of a page, the same wrong response three times in
a row, and deletions during the second of two killed runs.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.run.progress import Progress
from serving.errors import NightshelfError, TransientError

AGREEING = 3  # equal responses in a row that settle a doubt
REQUESTS_PER_PAGE = 10  # of the initial number of pages, before the reader gives up
EXTRA_REQUESTS = 100
MOST_EMPTY = 1000  # pages without entries, before the reader gives up


class NewestFirstError(NightshelfError):
    """The list has its newest entries first, so it can't be read backwards."""


@dataclass(frozen=True)
class Page:
    """The content of one response."""

    ids: NDArray[np.int64]  # hashes of the entries' ids in order, shape (entries,)
    count: int  # pages of the list
    last_day: str  # ISO date; "" if no entry has a plausible date
    first_day: str


def make_page(ids: Iterable[str], count: int, days: Collection[str]) -> Page:
    """Returns the page with these entry ids and days, of a list of `count` pages."""
    hashes = np.array([hash(entry) for entry in ids], np.int64)
    return Page(hashes, count, max(days, default=""), min(days, default=""))


class PagedReader:
    """Reads all pages of a list, or those back to the first known page."""

    def __init__(
        self,
        fetch: Callable[[int], Awaitable[Page]],
        concurrency: int,
        pages: dict[int, Page],
        progress: Progress,
    ) -> None:
        """fetch: fetches a page by its number; pages: the pages that a killed run left, by number."""
        self.fetch, self.concurrency, self.progress = fetch, concurrency, progress
        self.pages = pages
        self.entries = sum(len(page.ids) for page in pages.values())
        self.count = self.requests = 0
        self.empty: set[int] = set()
        self.limit = EXTRA_REQUESTS
        self.agreeing: Counter[int] = Counter()  # latest responses in a row that agree, by page

    async def read(self, is_known: Callable[[Page], bool]) -> list[int]:
        """Reads the list, and returns the numbers of all pages from the first known page on.

        Raises TransientError if the list keeps changing, NewestFirstError if its newest entries come first.
        """
        self.is_known = is_known
        self.known = {number for number, page in self.pages.items() if is_known(page)}
        await self._begin()
        await self._check_ends()
        changed = True
        corrected: set[int] = set()
        while changed or corrected or any(self._missing()):
            starts = {self.count, self._last_filled()} | {number - 1 for number in corrected}
            await self._fetch_all(self._missing())
            changed = await self._refetch_back_from(starts)
            corrected = set()
            while doubtful := self._doubtful():
                corrected |= await self._fetch_all(doubtful)
        self._check_order()
        needed = list(range(self._lowest(), self.count + 1))
        self.progress(len(needed), len(needed), sum(len(self.pages[number].ids) for number in needed))
        return needed

    async def _begin(self) -> None:
        """Fetches page 1 for the number of pages; the reader fetches page 1 again after all other pages."""
        await self._fetch_all([1])
        self.limit += REQUESTS_PER_PAGE * self.count  # a fixed limit: the list may grow with every request
        for number in list(self.pages):
            if number == 1 or number > self.count:
                self.entries -= len(self.pages.pop(number).ids)
                self.known.discard(number)
        self.agreeing.clear()

    async def _check_ends(self) -> None:
        """Raises NewestFirstError if three responses show the newest entries first.

        After a killed run the last page is not fetched for this: checks begin where that run stopped.
        """
        if self.count > 1 and self.pages.keys() == {1}:
            await self._fetch_all([self.count])
        while self._newest_first() and min(self.agreeing[number] for number in (1, self.count)) < AGREEING:
            await self._fetch_all([1, self.count])
        self._check_order()

    def _lowest(self) -> int:
        return max((number for number in self.known if number <= self.count), default=1)

    def _last_filled(self) -> int:
        return max((number for number, page in self.pages.items() if len(page.ids)), default=self.count)

    def _missing(self) -> Iterator[int]:
        """Yields the pages not read yet, from the newest back to the first known one."""
        for number in range(self.count, 0, -1):
            if number < self._lowest():
                return
            if number not in self.pages:
                yield number

    async def _refetch_back_from(self, starts: set[int]) -> bool:
        """Fetches again from these pages backwards while responses differ; returns whether any differed."""
        changed = False
        while starts and (highest := max(starts)) >= (lowest := self._lowest()):
            reached = max(highest - self.concurrency + 1, lowest)
            differ = await self._differ(range(highest, reached - 1, -1))
            if differ or any(reached <= start < highest for start in starts):
                starts.add(reached - 1)
            starts = {start for start in starts if start < reached}
            changed |= differ
        return changed

    async def _differ(self, numbers: range) -> bool:
        """Fetches pages again, twice if only some differ; returns whether any still differs from before."""
        before = {number: self.pages[number] for number in numbers if number in self.pages}
        changed = await self._fetch_all(numbers)
        if len(changed) < len(numbers):
            await self._fetch_all(sorted(changed, reverse=True))
        return any(
            number not in before or not _extends(before[number], self.pages[number]) for number in changed
        )

    async def _fetch_all(self, numbers: Iterable[int]) -> set[int]:
        """Fetches pages concurrently, and returns those that differ from their previous response."""
        queue = iter(numbers)
        changed = set()

        async def work() -> None:
            for number in queue:
                if self._store(number, await self.fetch(number)):
                    changed.add(number)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.concurrency):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return changed

    def _store(self, number: int, page: Page) -> bool:
        """Stores a response, and returns whether it changed other than by new entries at its end."""
        before = self.pages.get(number)
        same = before is not None and _extends(before, page)
        self.agreeing[number] = self.agreeing[number] + 1 if same else 1
        self.pages[number] = page
        (self.known.add if self.is_known(page) else self.known.discard)(number)
        if number == 1:
            self.first_page = page
        self.entries += len(page.ids) - (0 if before is None else len(before.ids))
        self.count = max(self.count, page.count, 1)
        self.requests += 1
        self.progress(len(self.pages), self.count, self.entries)
        (self.empty.discard if len(page.ids) else self.empty.add)(number)
        if len(self.empty) > MOST_EMPTY:
            raise NightshelfError(
                f"the shop says that its list has {self.count:,} pages, but more than {MOST_EMPTY:,} are"
                " empty: correct the shop's API, or `pages` in the profile"
            )
        if self.requests > self.limit:
            raise TransientError(
                f"the list kept changing while it was read ({self.requests} requests for {self.count} pages):"
                " repeat the run when the shop changes fewer orders"
            )
        return not same

    def _doubtful(self) -> list[int]:
        """Returns the doubtful pages that lack agreeing responses, newest first."""
        lowest = self._lowest()
        read = {number: page for number, page in self.pages.items() if number >= lowest}
        longest = max(len(page.ids) for page in read.values())
        doubtful = {number for number, page in read.items() if len(page.ids) < longest} | _overlapping(read)
        doubtful |= {lowest} & self.known
        doubtful |= {1, self.count} if self._newest_first() else set()
        return sorted((number for number in doubtful if self.agreeing[number] < AGREEING), reverse=True)

    def _newest_first(self) -> bool:
        return self.count in self.pages and self.first_page.first_day > self.pages[self.count].last_day != ""

    def _check_order(self) -> None:
        if self._newest_first():
            raise NewestFirstError("the shop lists its newest orders first, and can't be read backwards")


def _extends(before: Page, page: Page) -> bool:
    """Returns whether a response repeats the previous one, possibly with more entries at its end."""
    return np.array_equal(page.ids[: len(before.ids)], before.ids)


def _overlapping(pages: dict[int, Page]) -> set[int]:
    """Returns the pages whose first or last entry is also on another page."""
    ends = {number: set(page.ids[[0, -1]].tolist()) for number, page in pages.items() if len(page.ids)}
    all_ends = set().union(*ends.values())
    pages_with: Counter[int] = Counter()
    for page in pages.values():
        pages_with.update(all_ends.intersection(page.ids.tolist()))
    return {number for number, entries in ends.items() if any(pages_with[entry] > 1 for entry in entries)}
