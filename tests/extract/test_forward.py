"""Reading a list forwards while orders arrive, are edited and deleted loses none of them."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipelines.extract.shops.forward import ForwardReader, Part, Reading
from pipelines.run.progress import silent
from serving.errors import NightshelfError, TransientError

pytestmark = pytest.mark.fast
ROUNDS = 40
FIRST = {"page": 1}


@dataclass
class MovingList:
    """A list of orders by number, each with a version; requests change it, `changes_left` times at most."""

    chance: random.Random
    kind: str
    versions: dict[int, int]  # by order, in the order of creation
    size: int = 4
    arrive: float = 0
    edit: float = 0
    delete: float = 0
    changes_left: int = 8
    clock: int = 0
    requests: int = 0
    changed: dict[int, int] = field(default_factory=dict)  # when each order was changed last
    gone: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)  # arrived or edited while the list was read

    def listed(self):
        if self.kind == "newest first":
            return list(reversed(self.versions))
        if self.kind in ("changed", "cursor by change"):
            return sorted(self.versions, key=lambda number: (self.changed.get(number, 0), number))
        return list(self.versions)

    def move(self):
        for probability, change in (
            (self.arrive, self._arrive),
            (self.edit, self._edit),
            (self.delete, self._delete),
        ):
            if self.changes_left > 0 and self.chance.random() < probability:
                self.changes_left -= 1
                self.clock += 1
                change()

    def _arrive(self):
        for _ in range(self.chance.randint(1, 3)):
            number = max(self.versions, default=0) + 1 + len(self.gone)
            self.versions[number] = 0
            self.changed[number] = self.clock
            self.late.add(number)

    def _edit(self):
        if self.versions:
            number = self.chance.choice(list(self.versions))
            self.versions[number] += 1
            self.changed[number] = self.clock
            self.late.add(number)

    def _delete(self):
        if self.versions:
            number = self.chance.choice(list(self.versions))
            del self.versions[number]
            self.gone.add(number)

    async def fetch(self, place):
        self.requests += 1
        self.move()
        listed = self.listed()
        if self.kind.startswith("cursor"):
            after = place.get("cursor")
            listed = [number for number in listed if after is None or self.key(number) > tuple(after)]
            shown, page = listed[: self.size], 1
            following = (
                {"page": place["page"] + 1, "cursor": self.key(shown[-1])}
                if len(listed) > self.size
                else None
            )
        else:
            page = place["page"]
            shown = listed[(page - 1) * self.size : page * self.size]
            if self.kind == "repeats its last page" and not shown:
                shown = listed[-self.size :]
            following = {"page": page + 1} if shown else None
        self.shown = [(number, self.versions[number]) for number in shown]
        keys = np.array([number * 1000 + version for number, version in self.shown], np.int64)
        return Part(keys, following, self.knows(shown))

    def key(self, number):
        return (self.changed.get(number, 0), number) if self.kind == "cursor by change" else (number,)

    def knows(self, shown):
        return False


KINDS = ["oldest first", "newest first", "changed", "repeats its last page", "cursor", "cursor by change"]
CHANGES = {
    "quiet": {},
    "arrivals": {"arrive": 0.2},
    "edits": {"edit": 0.2},
    "deletions": {"delete": 0.2},
    "all": {"arrive": 0.1, "edit": 0.1, "delete": 0.1},
}


class Kept:
    """What a reader keeps: the newest version of each order, by the pages in which it was kept."""

    def __init__(self, shop):
        self.shop, self.pages, self.orders, self.notes = shop, 0, {}, []

    async def keep(self, part, reading):
        self.pages += 1
        self.orders |= dict(self.shop.shown)
        self.notes.append((part.keys, part.next, reading))


def reader_of(shop, kept):
    return ForwardReader(shop.fetch, kept.keep, not shop.kind.startswith("cursor"), silent)


def rounds(seed, kind, **changes):
    for round_seed in range(seed, seed + ROUNDS):
        chance = random.Random(round_seed)
        numbers = dict.fromkeys(range(1, chance.randint(0, 60)), 0)
        yield round_seed, MovingList(chance, kind, numbers, chance.randint(2, 7), **changes)


def lost(shop, kept):
    """Returns the orders that were in the list all the time and are missing."""
    return {number for number in shop.versions if number not in shop.late and kept.orders.get(number) != 0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_no_order_is_lost_and_the_newest_version_seen_is_kept(seed, kind, change):
    for round_seed, shop in rounds(seed, kind, **CHANGES[change]):
        kept = Kept(shop)
        asyncio.run(reader_of(shop, kept).read(FIRST))
        assert not lost(shop, kept), round_seed
        stale = {number for number, version in kept.orders.items() if version > shop.versions.get(number, 99)}
        assert not stale, round_seed


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "cursor" not in kind])
def test_after_the_last_change_everything_is_as_the_shop_has_it(seed, kind):
    """Changes end before the last reading, so that it sees the final list."""
    for round_seed, shop in rounds(seed, kind, **CHANGES["all"]):
        kept = Kept(shop)
        asyncio.run(reader_of(shop, kept).read(FIRST))
        shop.arrive = shop.edit = shop.delete = 0
        kept_again = Kept(shop)
        asyncio.run(reader_of(shop, kept_again).read(FIRST))
        assert kept_again.orders == shop.versions, round_seed


class KilledError(Exception):
    """Ends a run."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("between", ["quiet", "all"])
def test_a_killed_run_resumes_and_loses_nothing(seed, kind, between):
    for round_seed, shop in rounds(seed, kind):
        kept, last = Kept(shop), shop.chance.randint(1, 30)

        async def fetch(place, shop=shop, last=last):
            if shop.requests >= last:
                raise KilledError
            return await shop.fetch(place)

        with contextlib.suppress(KilledError):
            asyncio.run(ForwardReader(fetch, kept.keep, not kind.startswith("cursor"), silent).read(FIRST))
        for name, probability in CHANGES[between].items():
            setattr(shop, name, 5 * probability)
        for _ in range(5):
            shop.move()
        shop.arrive = shop.edit = shop.delete = 0
        seen = Reading([keys for keys, _, _ in kept.notes]) if kept.notes else None
        place = kept.notes[-1][1] if kept.notes and kept.notes[-1][2] == 1 else None
        asyncio.run(reader_of(shop, kept).read(FIRST, seen, place))
        assert not lost(shop, kept), round_seed


def test_an_incremental_read_of_the_newest_first_stops_at_the_first_known_page(seed):
    for round_seed, shop in rounds(seed, "newest first", **CHANGES["all"]):
        old = set(list(shop.versions)[: len(shop.versions) * 2 // 3])
        shop.knows = lambda shown, old=old: bool(shown) and old.issuperset(shown)
        kept = Kept(shop)
        asyncio.run(reader_of(shop, kept).read(FIRST))
        assert not lost(shop, kept) - old, round_seed


def test_an_incremental_read_of_a_long_list_requests_few_pages():
    shop = MovingList(random.Random(1), "newest first", dict.fromkeys(range(1, 1001), 0))
    shop.knows = lambda shown: max(shown) <= 980
    asyncio.run(reader_of(shop, Kept(shop)).read(FIRST))
    assert shop.requests == 2 * (20 // 4 + 1)


def test_a_quiet_list_is_read_twice_and_kept_once():
    shop = MovingList(random.Random(1), "oldest first", dict.fromkeys(range(1, 41), 0))
    kept = Kept(shop)
    asyncio.run(reader_of(shop, kept).read(FIRST))
    assert (shop.requests, kept.pages) == (2 * 11, 10)


def test_gives_up_on_a_list_that_keeps_changing(seed):
    shop = MovingList(
        random.Random(seed), "oldest first", dict.fromkeys(range(1, 41), 0), changes_left=10**6, edit=1
    )
    with pytest.raises(TransientError, match="kept changing"):
        asyncio.run(reader_of(shop, Kept(shop)).read(FIRST))


def test_a_list_without_an_end_is_an_error(monkeypatch):
    monkeypatch.setattr("pipelines.extract.shops.forward.MOST_PAGES", 50)

    async def fetch(place):
        return Part(np.array([place["page"]]), {"page": place["page"] + 1})

    async def keep(_, __):
        pass

    with pytest.raises(NightshelfError, match="more than 50 pages"):
        asyncio.run(ForwardReader(fetch, keep, True, silent).read(FIRST))
