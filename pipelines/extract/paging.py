"""A list that is read page by page, backwards from its newest page, while it moves.

New entries make its last pages grow; a late one, or one that goes, shifts all behind it; and now and
then a page comes that isn't the one asked for. A shift between the answers of two pages can hide an
entry from both. So once all are read, the newest pages are asked again, as many as are asked at once.
Where they say what they said, nothing shifted since: pages before them were asked after them. Where one
doesn't, as many before them are asked again, and so on; and then the newest once more, till they all
say the same. This is also done from where earlier reading ended, and before a page that was corrected.

A page that isn't the one asked for shares its first or last entry with another page, or is shorter
than others, or seems to be known: it is asked till it says the same three times in a row.

What stays unseen: shifts that cancel each other between two answers of a page, the same wrong answer
three times in a row, and a list that loses entries while the second of two runs is killed.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.run.progress import Progress
from serving.errors import NightshelfError, TransientError

SAME = 3  # answers in a row that settle a doubt
PATIENCE = 10  # questions per page the list had at first, before it is given up for restless
SLACK = 100


@dataclass(frozen=True)
class Page:
    """What a page said: the hashes of its entries' ids in order, how many pages there are, its days."""

    ids: NDArray[np.int64]
    count: int
    day: str  # its last
    first_day: str


def make_page(ids: Iterable[str], count: int, days: Collection[str]) -> Page:
    """A page of entries with these ids, on these days."""
    hashes = np.array([hash(one) for one in ids], np.int64)
    return Page(hashes, count, max(days, default=""), min(days, default=""))


class PagedReader:
    """Pages read so far, by number, and how sure they are."""

    def __init__(
        self, ask: Callable[[int], Awaitable[Page]], at_once: int, kept: dict[int, Page], progress: Progress
    ) -> None:
        """ask: fetches a page; kept: pages of a run that was killed."""
        self.ask, self.at_once, self.progress = ask, at_once, progress
        self.pages = kept
        self.entries = sum(len(one.ids) for one in kept.values())
        self.count = self.asked = 0
        self.limit = SLACK
        self.said: Counter[int] = Counter()  # how often in a row a page gave the answer that stands

    async def read(self, known: Callable[[Page], bool]) -> list[int]:
        """The numbers of all pages from the first that is known on, each read.

        Raises PassingError where the list never rests, NightshelfError where its newest entries come first.
        """
        self.is_known = known
        self.known = {number for number, one in self.pages.items() if known(one)}
        await self._begin()
        moved = True
        corrected: set[int] = set()
        while moved or corrected or any(self._missing()):
            starts = {self.count, self._end()} | {number - 1 for number in corrected}
            await self._take(self._missing())
            moved = await self._follow(starts)
            corrected = set()
            while doubted := self._doubted():
                corrected |= await self._take(doubted)
        self._check_order()
        needed = list(range(self._lowest(), self.count + 1))
        self.progress(len(needed), len(needed), sum(len(self.pages[number].ids) for number in needed))
        return needed

    async def _begin(self) -> None:
        """Learns the number of pages; the first is asked for again in its turn, as the last of them."""
        await self._take([1])
        self.limit += PATIENCE * self.count  # of the first count: a list may grow as fast as it is asked
        for number in list(self.pages):
            if number == 1 or number > self.count:
                self.entries -= len(self.pages.pop(number).ids)
                self.known.discard(number)
        self.said.clear()

    def _lowest(self) -> int:
        return max((number for number in self.known if number <= self.count), default=1)

    def _end(self) -> int:
        return max((number for number, one in self.pages.items() if len(one.ids)), default=self.count)

    def _missing(self) -> Iterator[int]:
        """Pages not read yet, from the newest back to the first that is known."""
        for number in range(self.count, 0, -1):
            if number < self._lowest():
                return
            if number not in self.pages:
                yield number

    async def _follow(self, starts: set[int]) -> bool:
        """Asks again from these pages back while answers differ; whether one did."""
        moved = False
        while starts and (top := max(starts)) >= (lowest := self._lowest()):
            reached = max(top - self.at_once + 1, lowest)
            differ = await self._differ(range(top, reached - 1, -1))
            if differ or any(reached <= start < top for start in starts):
                starts.add(reached - 1)
            starts = {start for start in starts if start < reached}
            moved |= differ
        return moved

    async def _differ(self, numbers: range) -> bool:
        """Whether one of these pages differs from what it said; where not all do, for good."""
        before = {number: self.pages[number] for number in numbers if number in self.pages}
        moved = await self._take(numbers)
        if len(moved) < len(numbers):
            await self._take(sorted(moved, reverse=True))
        return any(
            number not in before or not _goes_on(before[number], self.pages[number]) for number in moved
        )

    async def _take(self, numbers: Iterable[int]) -> set[int]:
        """Asks for pages, several at once; those that didn't say what they said."""
        shared = iter(numbers)
        moved = set()

        async def work() -> None:
            for number in shared:
                if self._hear(number, await self.ask(number)):
                    moved.add(number)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.at_once):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return moved

    def _hear(self, number: int, answer: Page) -> bool:
        """Takes an answer; whether it differs from the one before by more than entries at its end."""
        before = self.pages.get(number)
        same = before is not None and _goes_on(before, answer)
        self.said[number] = self.said[number] + 1 if same else 1
        self.pages[number] = answer
        (self.known.add if self.is_known(answer) else self.known.discard)(number)
        if number == 1:
            self.front = answer
        self.entries += len(answer.ids) - (0 if before is None else len(before.ids))
        self.count = max(self.count, answer.count, 1)
        self.asked += 1
        self.progress(len(self.pages), self.count, self.entries)
        if self.asked > self.limit:
            raise TransientError(
                f"the list moved all the while it was read ({self.asked} answers for {self.count} pages):"
                " a later try may find it at rest"
            )
        return not same

    def _doubted(self) -> list[int]:
        """Pages that may not be the ones asked for and haven't said the same often enough, newest first."""
        lowest = self._lowest()
        read = {number: one for number, one in self.pages.items() if number >= lowest}
        full = max(len(one.ids) for one in read.values())
        doubted = {number for number, one in read.items() if len(one.ids) < full} | _sharing(read)
        doubted |= {lowest} & self.known
        doubted |= {1, self.count} if self._newest_first() else set()
        return sorted((number for number in doubted if self.said[number] < SAME), reverse=True)

    def _newest_first(self) -> bool:
        return self.count in self.pages and self.front.first_day > self.pages[self.count].day != ""

    def _check_order(self) -> None:
        if self._newest_first():
            raise NightshelfError(
                "the shop lists its newest orders first: Nightshelf reads back from the last page,"
                " so let it list the oldest first"
            )


def _goes_on(before: Page, answer: Page) -> bool:
    """Whether an answer says what was said before, and at most more at its end."""
    return np.array_equal(answer.ids[: len(before.ids)], before.ids)


def _sharing(pages: dict[int, Page]) -> set[int]:
    """The pages whose first or last entry stands on another page as well."""
    ends = {number: set(one.ids[[0, -1]].tolist()) for number, one in pages.items() if len(one.ids)}
    sought = set().union(*ends.values())
    on: Counter[int] = Counter()
    for one in pages.values():
        on.update(sought.intersection(one.ids.tolist()))
    return {number for number, both in ends.items() if any(on[end] > 1 for end in both)}
