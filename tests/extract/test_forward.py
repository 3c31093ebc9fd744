"""Reading a list forwards while orders arrive, are edited and deleted loses none of them."""

import asyncio
import contextlib
import random
from dataclasses import dataclass

import numpy as np
import pytest
from moving_lists import KilledError, Moving, rounds_of

from pipelines.extract.shops.forward import ForwardReader, Part, Reading
from pipelines.run.progress import silent
from serving.errors import NightshelfError, TransientError

pytestmark = pytest.mark.fast
ROUNDS = rounds_of(40)
FIRST = {"page": 1}


@dataclass
class MovingList(Moving):
    """A list of orders by number, each with a version; requests change it.

    kind: the order of the list, and what the place of the next page is: a number by default, an offset, a
    link, or a cursor.
    """

    kind: str
    versions: dict[int, int]  # by order, in the order of creation
    size: int = 4
    arrive: float = 0
    edit: float = 0
    delete: float = 0
    clock: int = 0

    def __post_init__(self):
        super().__post_init__()
        self.changed = {}  # when each order was changed last
        self.gone, self.arrived, self.edited = set(), set(), set()  # orders, while the list was read
        self.read = {}  # by order, the version that a response had last
        self.script = {}  # the changes before a request, by reading and page
        self.readings = 0

    def key(self, number):
        """Returns what the list is sorted by."""
        key = (self.changed.get(number, 0), number) if "change" in self.kind else (0, number)
        return tuple(-part for part in key) if "newest" in self.kind else key

    def listed(self):
        return sorted(self.versions, key=self.key)

    def move(self):
        self.change((self.arrive, self._arrive), (self.edit, self._edit), (self.delete, self._delete))

    def _arrive(self):
        for _ in range(self.chance.randint(1, 3)):
            self.add(max([0, *self.versions, *self.gone]) + 1)

    def add(self, number):
        self.clock += 1
        self.versions[number], self.changed[number] = 0, self.clock
        self.arrived.add(number)

    def _edit(self):
        if self.versions:
            number = self.chance.choice(list(self.versions))
            self.clock += 1
            self.versions[number], self.changed[number] = self.versions[number] + 1, self.clock
            self.edited.add(number)

    def _delete(self):
        if self.versions:
            self.remove(self.chance.choice(list(self.versions)))

    def remove(self, number):
        del self.versions[number]
        self.gone.add(number)

    async def fetch(self, place):
        self.requests += 1
        self.readings += place["page"] == 1
        for make, number in self.script.get((self.readings, place["page"]), ()):
            make(number)
        self.move()
        listed = self.listed()
        if "cursor" in self.kind:
            after = place.get("cursor")
            listed = [number for number in listed if after is None or self.key(number) > tuple(after)]
        shown, following = self.page(listed, place)
        self.shown = [(number, self.versions[number]) for number in shown]
        self.read |= dict(self.shown)
        keys = np.array([number * 1000 + version for number, version in self.shown], np.int64)
        ids = None if "by change" in self.kind else np.array(shown, np.int64)
        return Part(keys, following, self.knows(shown), ids)

    def page(self, listed, place):
        """Returns the orders of a page, and where the next page begins."""
        following = {"page": place["page"] + 1}
        if "cursor" in self.kind:
            shown = listed[: self.size]
            return shown, following | {"cursor": self.key(shown[-1])} if listed[self.size :] else None
        start = place.get("offset", int(place.get("url", "?offset=0").partition("=")[2]))
        if "offset" in self.kind:
            following["offset"] = start + self.size
        elif "link" in self.kind:
            following["url"] = f"?offset={start + self.size}"
        else:
            start = (place["page"] - 1) * self.size
        shown = listed[start : start + self.size]
        if "repeats" in self.kind and not shown:
            shown = listed[-self.size :]
        has_more = bool(listed[start + self.size :]) if "link" in self.kind else bool(shown)
        return shown, following if has_more else None

    def knows(self, shown):
        return False


DIRECTIONS = ["oldest first", "newest first", "by change"]
KINDS = [
    f"{paging}, {direction}" for paging in ("page", "offset", "link", "cursor") for direction in DIRECTIONS
]
KINDS += ["page that repeats, oldest first", "page, newest change first", "cursor, newest change first"]
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
        self.notes.append((part, reading))


def reader_of(shop, kept):
    return ForwardReader(shop.fetch, kept.keep, "cursor" not in shop.kind, silent)


def rounds(seed, kind, **changes):
    for round_seed in range(seed, seed + ROUNDS):
        chance = random.Random(round_seed)
        numbers = dict.fromkeys(range(1, chance.randint(0, 60)), 0)
        yield round_seed, MovingList(chance, kind, numbers, chance.randint(2, 7), **changes)


def lost(shop, kept):
    """Returns the orders that were in the list all the time and are missing, or in a version before the last
    one that was seen.

    An edited order may move to the front of a list of the latest changes first, where it isn't seen.
    """
    seen = shop.edited if shop.kind.endswith("newest change first") else set()
    needed = shop.versions.keys() - shop.arrived - seen
    return {number for number in needed if kept.orders.get(number, -1) != shop.read.get(number)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_no_order_is_lost_and_the_newest_version_seen_is_kept(seed, kind, change):
    for round_seed, shop in rounds(seed, kind, **CHANGES[change]):
        kept = Kept(shop)
        asyncio.run(reader_of(shop, kept).read(FIRST))
        assert not lost(shop, kept), round_seed
        stale = {number for number in kept.orders if kept.orders[number] != shop.read[number]}
        assert not stale, round_seed


def test_a_short_list_from_which_each_reading_finds_an_order_deleted_is_read():
    """Each reading misses an order of the one before it, more often than a long list may be read."""
    shop = MovingList(random.Random(1), "page, oldest first", dict.fromkeys(range(1, 21), 0), size=20)
    shop.script = {(reading, 2): [(shop.remove, reading)] for reading in range(1, 16)}
    kept = Kept(shop)
    asyncio.run(reader_of(shop, kept).read(FIRST))
    assert kept.orders.keys() >= set(range(16, 21))


def arrive_and_vanish(shop, reading):
    """Before a reading's second request an order arrives in front; it is deleted before the third.

    So the reading sees order 9 twice, and never order 5.
    """
    number = 100 + reading
    shop.script |= {(reading, 2): [(shop.add, number)], (reading, 3): [(shop.remove, number)]}


def test_an_order_is_read_that_two_readings_missed_for_arrivals_deleted_unread():
    shop = MovingList(random.Random(1), "page, newest first", dict.fromkeys(range(1, 13), 0))
    for reading in (1, 2):
        arrive_and_vanish(shop, reading)
    kept = Kept(shop)
    asyncio.run(reader_of(shop, kept).read(FIRST))
    assert not lost(shop, kept)


def test_pages_of_arrivals_are_not_taken_for_the_end_of_the_list():
    """After each request as many orders arrive as a page holds, so that the same page comes again."""
    shop = MovingList(random.Random(1), "page, newest first", dict.fromkeys(range(1, 13), 0), size=2)
    shop.script = {(1, page): [(shop.add, 9 + 2 * page), (shop.add, 10 + 2 * page)] for page in (2, 3, 4)}
    shop.script[2, 5] = [(shop.remove, 13)]
    kept = Kept(shop)
    asyncio.run(reader_of(shop, kept).read(FIRST))
    assert not lost(shop, kept)


def test_a_reading_after_one_that_saw_arrivals_in_front_is_confirmed_by_another():
    shop = MovingList(random.Random(1), "page, newest first", dict.fromkeys(range(1, 13), 0))
    arrive_and_vanish(shop, 1)
    asyncio.run(reader_of(shop, Kept(shop)).read(FIRST))
    assert shop.requests == 3 * 4


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("between", ["quiet", "all"])
def test_a_killed_run_resumes_and_loses_nothing(seed, kind, between):
    for round_seed, shop in rounds(seed, kind):
        kept, last = Kept(shop), shop.chance.randint(1, 30)
        killed = ForwardReader(shop.killed_after(last), kept.keep, "cursor" not in kind, silent)
        with contextlib.suppress(KilledError):
            asyncio.run(killed.read(FIRST))
        for name, probability in CHANGES[between].items():
            setattr(shop, name, 5 * probability)
        for _ in range(5):
            shop.move()
        shop.arrive = shop.edit = shop.delete = 0
        seen = Reading([part for part, _ in kept.notes]) if kept.notes else None
        place = kept.notes[-1][0].next if kept.notes and kept.notes[-1][1] == 1 else None
        asyncio.run(reader_of(shop, kept).read(FIRST, seen, place))
        assert not lost(shop, kept), round_seed


def test_an_incremental_read_of_the_newest_first_stops_at_the_first_known_page(seed):
    for round_seed, shop in rounds(seed, "page, newest first", **CHANGES["all"]):
        old = set(list(shop.versions)[: len(shop.versions) * 2 // 3])
        shop.knows = lambda shown, old=old: bool(shown) and old.issuperset(shown)
        kept = Kept(shop)
        asyncio.run(reader_of(shop, kept).read(FIRST))
        assert not lost(shop, kept) - old, round_seed


def test_an_incremental_read_of_a_long_list_requests_few_pages():
    shop = MovingList(random.Random(1), "page, newest first", dict.fromkeys(range(1, 1001), 0))
    shop.knows = lambda shown: max(shown) <= 980
    asyncio.run(reader_of(shop, Kept(shop)).read(FIRST))
    assert shop.requests == 2 * (20 // 4 + 1)


@pytest.mark.parametrize(
    ("kind", "orders", "requests"),
    [
        ("page, oldest first", 40, 11),
        ("page that repeats, oldest first", 40, 13),
        ("page that repeats, oldest first", 38, 14),
        ("link, newest first", 40, 10),
    ],
)
def test_a_quiet_list_is_read_twice_and_kept_once(kind, orders, requests):
    shop = MovingList(random.Random(1), kind, dict.fromkeys(range(1, orders + 1), 0))
    kept = Kept(shop)
    asyncio.run(reader_of(shop, kept).read(FIRST))
    assert shop.requests == 2 * requests
    assert kept.orders == shop.versions


@pytest.mark.parametrize("kind", ["page, oldest first", "page, newest first"])
def test_edits_that_move_no_order_to_a_later_page_cost_no_further_reading(seed, kind):
    shop = MovingList(random.Random(seed), kind, dict.fromkeys(range(1, 41), 0), edit=1)
    shop.changes_left = 10**6
    kept = Kept(shop)
    asyncio.run(reader_of(shop, kept).read(FIRST))
    assert shop.requests == 2 * 11
    assert kept.orders == shop.read


def test_gives_up_on_a_list_that_keeps_changing(seed):
    shop = MovingList(random.Random(seed), "page, by change", dict.fromkeys(range(1, 41), 0), edit=1)
    shop.changes_left = 10**6
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
