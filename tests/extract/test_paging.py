"""Reading a list while it changes loses no entry that was in it from start to end."""

import asyncio
import contextlib
import random
from dataclasses import dataclass

import numpy as np
import pytest
from moving_lists import KilledError, Moving, rounds_of

from pipelines.extract.paging import PagedReader, make_page
from pipelines.run.progress import silent
from serving.errors import NightshelfError, TransientError

ROUNDS = rounds_of(60)
OLD, NEW = "2026-09-01", "2026-09-02"  # the days of known and of new entries


@dataclass
class ChangingList(Moving):
    """A list behind `fetch`; requests may change it, or return a wrong page."""

    entries: list[str]
    size: int = 5
    old: frozenset[str] = frozenset()  # entries that an earlier pull has read
    grow: float = 0
    insert: float = 0
    delete: float = 0
    wrong: float = 0
    created: int = 0

    def __post_init__(self):
        super().__post_init__()
        self.changes_left = 5
        self.needed = self.back_to_known()

    def count(self):
        return -(-len(self.entries) // self.size)

    def at(self, number, shift=0):
        start = max((number - 1) * self.size + shift, 0)
        return self.entries[start : start + self.size]

    def page(self, ids):
        return make_page(ids, self.count(), [OLD if entry in self.old else NEW for entry in ids])

    def back_to_known(self):
        """Returns the entries from the last fully known page on, or all entries if there is no such page."""
        known = [number for number in range(1, self.count() + 1) if self.old.issuperset(self.at(number))]
        return set(self.entries[(max(known, default=1) - 1) * self.size :])

    def knows(self, page):
        known = np.array([hash(entry) for entry in self.old], np.int64)
        return page.last_day < NEW and len(page.ids) > 0 and bool(np.isin(page.ids, known).all())

    async def fetch(self, number):
        await self.wait()
        self.requests += 1
        self.move()
        page = self.page(self.response(number))
        await self.wait()
        return page

    async def wait(self):
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    def response(self, number):
        if self.chance.random() < self.wrong:
            return self.at(self.chance.randint(1, max(self.count(), 1)))
        if self.chance.random() < self.wrong:
            return self.at(number, self.chance.choice([-2, -1, 1, 2]))
        return self.at(number)

    def move(self):
        index = self.chance.randrange(len(self.entries) + 1)
        before = self.changes_left
        self.change(
            (self.grow, lambda: self.entries.extend(self.fresh() for _ in range(self.chance.randint(1, 7)))),
            (self.insert, lambda: self.entries.insert(index, self.fresh())),
            (self.delete, lambda: self.entries.pop(index - 1) if self.entries else None),
        )
        if self.changes_left < before:
            self.needed &= self.back_to_known()

    def fresh(self):
        self.created += 1
        return f"new {self.created}"


def reader_of(shop, concurrency=4, kept=None):
    return PagedReader(shop.fetch, concurrency, kept or {}, silent)


def lost(shop, reader):
    """Reads the list, and returns the needed entries that are on none of the pages read."""
    numbers = asyncio.run(reader.read(shop.knows))
    read = {int(entry) for number in numbers for entry in reader.pages[number].ids}
    return {entry for entry in shop.needed if hash(entry) not in read}


def shops(seed, rounds=ROUNDS, **moving):
    """Yields a seed, a list of up to thirty pages with a few repeated entries, and a concurrency."""
    for round_seed in range(seed, seed + rounds):
        chance = random.Random(round_seed)
        size = chance.randint(2, 7)
        entries = [str(number) for number in range(chance.randint(0, 30 * size))]
        for _ in range(len(entries) // 40):
            entries.insert(chance.randrange(len(entries)), chance.choice(entries))
        yield round_seed, ChangingList(chance, entries, size, **moving), chance.randint(1, 8)


CHANGES = {
    "quiet": {},
    "growing": {"grow": 0.3},
    "inserts": {"insert": 0.03},
    "deletes": {"delete": 0.03},
    "wrong pages": {"wrong": 0.05},
    "grows, inserts": {"grow": 0.03, "insert": 0.02, "wrong": 0.01},
    "grows, deletes": {"grow": 0.03, "delete": 0.02, "wrong": 0.01},
}
ALWAYS_DETECTED = ("quiet", "growing", "inserts", "deletes")


def kill(shop, concurrency):
    """Reads the list with a run that is killed after some requests, and returns the pages it read."""
    last, kept = shop.requests + shop.chance.randint(1, shop.count() + 2 * concurrency), {}
    fetch = shop.killed_after(last, kept)
    with contextlib.suppress(KilledError):
        asyncio.run(PagedReader(fetch, concurrency, {}, silent).read(shop.knows))
    return kept


@pytest.mark.parametrize("moving", CHANGES)
def test_no_entry_is_lost_while_the_list_changes(seed, moving):
    losses = [
        round_seed
        for round_seed, shop, concurrency in shops(seed, **CHANGES[moving])
        if lost(shop, reader_of(shop, concurrency))
    ]
    # The same wrong page three times in a row, or a repeated entry, hides an entry in 1 of 1,000 rounds.
    assert len(losses) <= (moving not in ALWAYS_DETECTED), losses


@pytest.mark.parametrize("moving", CHANGES)
def test_no_new_entry_of_a_partly_known_list_is_lost(seed, moving):
    losses = []
    for round_seed, shop, concurrency in shops(seed, **CHANGES[moving]):
        shop.old = frozenset(shop.entries[: shop.chance.randint(0, len(shop.entries) * 3 // 4)])
        shop.needed = shop.back_to_known()
        losses += [round_seed] if lost(shop, reader_of(shop, concurrency)) else []
    assert len(losses) <= (moving not in ALWAYS_DETECTED), losses


@pytest.mark.parametrize("between", ["grow", "insert", "delete"])
def test_no_entry_is_lost_if_a_killed_run_resumes_after_changes(seed, between):
    for round_seed, shop, concurrency in shops(seed):
        kept = kill(shop, concurrency)
        setattr(shop, between, 0.5)
        shop.entries += [shop.fresh() for _ in range(shop.chance.randrange(9 * shop.size))]
        for _ in range(6):
            shop.move()
        setattr(shop, between, 0)
        shop.needed = set(shop.entries)
        assert not lost(shop, reader_of(shop, concurrency, kept)), round_seed


@pytest.mark.parametrize("change", ["insert", "delete"])
def test_no_entry_is_lost_if_a_run_is_killed_while_it_checks_pages_again(change):
    for stop in range(43, 58):
        shop = ChangingList(random.Random(stop), [str(number) for number in range(198)])
        kept, move = {}, shop.move

        def moved(shop=shop, move=move):
            if shop.requests == 21:  # pages 40 to 22 have been read
                shop.entries[:1] = ["late", "0"] if change == "insert" else []
            move()

        shop.move, fetch = moved, shop.killed_after(stop, kept)
        with pytest.raises(KilledError):
            asyncio.run(PagedReader(fetch, 1, {}, silent).read(shop.knows))
        shop.needed = set(shop.entries)
        assert not lost(shop, reader_of(shop, 1, kept)), stop


@pytest.mark.parametrize("concurrency", [1, 8])
def test_an_unchanged_list_is_read_once_except_for_its_newest_pages(concurrency):
    shop = ChangingList(random.Random(1), [str(number) for number in range(498)])
    assert not lost(shop, reader_of(shop, concurrency))
    # Page 1 is fetched twice, the newest pages twice, and the shorter last page three times.
    assert shop.requests == 100 + concurrency + 2


def test_an_unchanged_list_resumes_where_a_killed_run_stopped():
    shop = ChangingList(random.Random(1), [str(number) for number in range(498)])
    kept = {number: shop.page(shop.at(number)) for number in range(41, 101)}
    assert not lost(shop, reader_of(shop, 4, kept))
    assert shop.requests == 1 + 40 + 4 + 2


def test_reads_back_only_to_the_first_known_page():
    entries = [str(number) for number in range(498)]
    shop = ChangingList(random.Random(1), entries, old=frozenset(entries[:400]))
    reader = reader_of(shop)
    assert not lost(shop, reader)
    assert shop.requests < 21 + 4 + 10


def test_after_a_late_entry_only_the_pages_after_it_are_read_again():
    shop = ChangingList(random.Random(1), [str(number) for number in range(498)])
    shop.response = lambda number: (
        (shop.requests == 30 and shop.entries.insert(300, "late")) or shop.at(number)
    )
    assert not lost(shop, reader_of(shop))
    assert shop.requests < 100 + 40 + 4 * 4


@pytest.mark.parametrize(("entries", "requests"), [(0, 4), (3, 4), (5, 4), (7, 7)])
def test_reads_an_empty_or_short_list(entries, requests):
    shop = ChangingList(random.Random(1), [str(number) for number in range(entries)])
    reader = reader_of(shop)
    assert asyncio.run(reader.read(shop.knows)) == list(range(1, max(shop.count(), 1) + 1))
    assert shop.requests <= requests


@pytest.mark.parametrize("known", [0, 20])
def test_a_list_with_its_newest_entries_first_is_an_error(known):
    entries = [str(number) for number in range(50)]
    shop = ChangingList(random.Random(1), entries, old=frozenset(entries[known or 30 :]))
    shop.knows = shop.knows if known else lambda page: False
    with pytest.raises(NightshelfError, match="newest orders first") as raised:
        asyncio.run(reader_of(shop).read(shop.knows))
    assert not isinstance(raised.value, TransientError)


@pytest.mark.parametrize("how", ["grow", "insert", "wrong"])
def test_gives_up_on_a_list_that_keeps_changing(seed, how):
    entries = [str(number) for number in range(100)]
    shop = ChangingList(random.Random(seed), entries, **{how: 1})
    shop.changes_left = 10**6
    with pytest.raises(TransientError, match="kept changing"):
        asyncio.run(reader_of(shop).read(lambda _: False))
