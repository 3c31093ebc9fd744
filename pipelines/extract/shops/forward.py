"""Reads a list from its first page to its last while the list changes.

Entries that arrive before the reader's place shift others to later pages, where they are read twice. An entry
that leaves the place it was read at, because it is deleted or moves, shifts others to earlier pages, where
one may be missed. So the reader reads the list again:

- If the entry that left had been read, the next reading misses it. Where changes move entries to later
  pages, a changed entry counts as another one.
- If it had arrived unread before the reader's place, it had first shifted an entry that was read already, and
  the reading holds that entry twice.

So a reading without repeated entries of which the next reading misses nothing is complete. Every entry that
is in the list from the first request to the last, and isn't changed meanwhile, is kept. This holds for any
number of arrivals, deletions and changes if each page holds consecutive entries of one moment, and entries
that aren't changed keep their order.

Where entries arrive in front during each reading, AGREEING readings in a row that miss nothing of those
before them are enough. Not detected:

- In each of these readings an entry arrives in front and is deleted before it is read, and each time the same
  entry is missed for it.
- As many pages of arrivals as REPEATS, one after each request, look like the end of the list, in two
  readings in a row.

A changed entry is kept, too, in one of its versions, except in a list of the latest changes first: there it
moves to the front, where the next pull reads it.

A list of the newest entries first is read down to the first known page. A list whose pages begin at a cursor
doesn't shift, and is read once.

A later reading keeps only pages with an entry, or a version of one, that no earlier page had; a page that is
kept later replaces the orders of earlier ones.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.run.progress import Progress
from serving.errors import NightshelfError, TransientError

AGREEING = 2  # readings in a row that miss nothing of those before them, if all have repeated entries
REQUESTS_PER_PAGE = 12  # of the first reading's pages, before the reader gives up
EXTRA_REQUESTS = 100
REPEATS = 3  # equal pages in a row that end a list; one may also be due to a page of arrivals
MOST_PAGES = 1_000_000  # of one reading
Keys = NDArray[np.int64]
Place = dict[str, Any]
NO_KEYS: Keys = np.empty(0, np.int64)


@dataclass(frozen=True)
class Part:
    """One page: a key of each entry's content, where the next page begins, and whether all is known.

    ids: a key of each entry itself, if a change doesn't move it to a later page; otherwise a changed entry
    counts as another one.
    """

    keys: Keys
    next: Place | None
    is_known: bool = False
    ids: Keys | None = None

    @property
    def entries(self) -> Keys:
        """The keys of the entries, by which readings are compared."""
        return self.keys if self.ids is None else self.ids


@dataclass
class Reading:
    """What one reading of the list has seen."""

    pages: list[Part] = field(default_factory=list)
    to_the_end: bool = False  # whether it reached the end of the list, not a known page
    by_repeats: bool = False  # whether it took repeated pages for the end

    @property
    def keys(self) -> Keys:
        """The keys of the contents seen, sorted."""
        return np.unique(_all(page.keys for page in self.pages))

    @property
    def entries(self) -> Keys:
        """The keys of the entries seen, sorted."""
        return np.unique(_all(page.entries for page in self.pages))

    @property
    def has_repeated(self) -> bool:
        """Whether an entry was seen twice, as entries in front of it had arrived."""
        return len(self.entries) < sum(len(page.entries) for page in self.pages)


class ForwardReader:
    """Reads a list forwards, again and again until nothing was missed."""

    def __init__(
        self,
        fetch: Callable[[Place], Awaitable[Part]],
        keep: Callable[[Part, int], Awaitable[None]],
        shifts: bool,
        progress: Progress,
    ) -> None:
        """fetch: fetches the page at a place; keep: keeps the page just fetched, of a reading by number.

        shifts: whether entries may change pages while the list is read.
        """
        self.fetch, self.keep, self.shifts, self.progress = fetch, keep, shifts, progress
        self.kept = self.entries = self.requests = 0

    async def read(self, first: Place, resumed: Reading | None = None, place: Place | None = None) -> None:
        """Reads the list, or goes on where a killed run stopped.

        resumed: what that run saw; place: where its first reading was to go on, None if it had ended.
        Raises TransientError if the list keeps changing.
        """
        reading = resumed or Reading()
        if resumed is None or place is not None:
            await self._read_once(1, place or first, reading, Reading())
        if self.shifts:
            await self._read_until_complete(first, reading)

    async def _read_until_complete(self, first: Place, before: Reading) -> None:
        """Reads the list again until a reading is complete."""
        limit = EXTRA_REQUESTS + REQUESTS_PER_PAGE * len(before.pages)
        agreeing = 0
        for number in count(2):
            reading = Reading()
            await self._read_once(number, first, reading, before)
            agreeing = 0 if _misses(reading, before) else agreeing + 1
            if agreeing == AGREEING or (agreeing and not before.has_repeated):
                return
            if self.requests > limit:
                raise TransientError(
                    f"the list kept changing while it was read ({self.requests} requests for"
                    f" {len(before.pages)} pages): repeat the run when the shop changes fewer orders"
                )
            before = reading

    async def _read_once(self, number: int, place: Place | None, reading: Reading, before: Reading) -> None:
        """Reads from a place to the end of the list, or to a known page, but at least as far as before."""
        known, fresh = before.keys, set[int]()
        while place is not None:
            part = await self.fetch(place)
            self.requests += 1
            if _repeats(part, reading):
                _drop_repeats(reading)
                break
            await self._keep_new(part, number, known, fresh)
            reading.pages.append(part)
            if len(reading.pages) > MOST_PAGES:
                raise NightshelfError(
                    f"the shop's list has more than {MOST_PAGES:,} pages: correct the profile"
                )
            if part.is_known and len(reading.pages) >= len(before.pages):
                return
            place = part.next
        reading.to_the_end = True

    async def _keep_new(self, part: Part, number: int, known: Keys, fresh: set[int]) -> None:
        new = part.keys[~among(part.keys, known)]
        if number > 1:
            new = np.array([key for key in new.tolist() if key not in fresh], np.int64)
            fresh.update(new.tolist())
        if len(new):
            self.kept += 1
            self.entries += len(new)
            await self.keep(part, number)
            self.progress(self.kept, self.kept, self.entries)


def among(keys: Keys, ordered: Keys) -> NDArray[np.bool_]:
    """Returns for each key whether sorted keys hold it."""
    if not len(ordered):
        return np.zeros(len(keys), np.bool_)
    found = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.asarray(ordered[found] == keys, np.bool_)


def _all(pages: Iterable[Keys]) -> Keys:
    return np.concatenate([*pages, NO_KEYS])


def _repeats(part: Part, reading: Reading) -> bool:
    """Returns whether a shop answers beyond the end of its list with the last page again and again."""
    latest = [page.keys for page in reading.pages[-REPEATS:]]
    return len(latest) == REPEATS and all(len(keys) and np.array_equal(part.keys, keys) for keys in latest)


def _drop_repeats(reading: Reading) -> None:
    """Drops the last pages, which a shop answers beyond the end of its list, but for what they have new."""
    reading.by_repeats = True
    last = reading.pages[-1]
    del reading.pages[-REPEATS:]
    if not among(last.keys, reading.keys).all():
        reading.pages.append(last)


def _misses(reading: Reading, before: Reading) -> bool:
    """Returns whether a reading lacks an entry of the one before it, or that one lacks the list's end.

    Where it stopped at a known page, arrivals may have pushed entries of the last page beyond its own.
    """
    compared = before.pages if reading.to_the_end else before.pages[:-1]
    ended_early = before.by_repeats and not reading.by_repeats  # what it repeated were pages of arrivals
    return ended_early or not among(_all(page.entries for page in compared), reading.entries).all()
