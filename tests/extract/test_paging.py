"""A list that moves while it is read: nothing that was in it all the while is lost."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipelines.extract.paging import PagedReader, make_page
from pipelines.run.progress import silent
from serving.errors import NightshelfError, TransientError

ROUNDS = 60
OLD, NEW = "2026-09-01", "2026-09-02"  # the days of what is known, and of what isn't


@dataclass
class Moving:
    """A list behind `ask`; each question may move it, at most `moves` times, and may be answered wrongly."""

    chance: random.Random
    entries: list[str]
    size: int = 5
    old: frozenset[str] = frozenset()  # what an earlier night has read
    grow: float = 0
    insert: float = 0
    delete: float = 0
    wrong: float = 0
    moves: float = 5
    asked: int = 0
    made: int = 0
    needed: set[str] = field(init=False)

    def __post_init__(self):
        self.needed = self.back_to_known()

    def count(self):
        return -(-len(self.entries) // self.size)

    def at(self, number, shift=0):
        start = max((number - 1) * self.size + shift, 0)
        return self.entries[start : start + self.size]

    def page(self, ids):
        return make_page(ids, self.count(), [OLD if one in self.old else NEW for one in ids])

    def back_to_known(self):
        """The entries from the first page on that an incremental read knows; all of them for a full one."""
        known = [number for number in range(1, self.count() + 1) if self.old.issuperset(self.at(number))]
        return set(self.entries[(max(known, default=1) - 1) * self.size :])

    def knows(self, one):
        known = np.array([hash(entry) for entry in self.old], np.int64)
        return one.day < NEW and len(one.ids) > 0 and bool(np.isin(one.ids, known).all())

    async def ask(self, number):
        await self.wait()
        self.asked += 1
        self.move()
        answer = self.page(self.answered(number))
        await self.wait()
        return answer

    async def wait(self):
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    def answered(self, number):
        if self.chance.random() < self.wrong:
            return self.at(self.chance.randint(1, max(self.count(), 1)))
        if self.chance.random() < self.wrong:
            return self.at(number, self.chance.choice([-2, -1, 1, 2]))
        return self.at(number)

    def move(self):
        place = self.chance.randrange(len(self.entries) + 1)
        for probability, change in (
            (self.grow, lambda: self.entries.extend(self.fresh() for _ in range(self.chance.randint(1, 7)))),
            (self.insert, lambda: self.entries.insert(place, self.fresh())),
            (self.delete, lambda: self.entries.pop(place - 1) if self.entries else None),
        ):
            if self.moves > 0 and self.chance.random() < probability:
                self.moves -= 1
                change()
                self.needed &= self.back_to_known()

    def fresh(self):
        self.made += 1
        return f"new {self.made}"


def listing(shop, at_once=4, kept=None):
    return PagedReader(shop.ask, at_once, kept or {}, silent)


def lost(shop, reader):
    """The needed entries that stand on no page answered, once the list was read."""
    numbers = asyncio.run(reader.read(shop.knows))
    found = {int(one) for number in numbers for one in reader.pages[number].ids}
    return {one for one in shop.needed if hash(one) not in found}


def shops(seed, rounds=ROUNDS, **moving):
    """Lists of up to thirty pages, a few of their entries listed twice, and how many pages to ask at once."""
    for one in range(seed, seed + rounds):
        chance = random.Random(one)
        size = chance.randint(2, 7)
        entries = [str(number) for number in range(chance.randint(0, 30 * size))]
        for _ in range(len(entries) // 40):
            entries.insert(chance.randrange(len(entries)), chance.choice(entries))
        yield one, Moving(chance, entries, size, **moving), chance.randint(1, 8)


MOVING = {
    "quiet": {},
    "growing": {"grow": 0.3},
    "inserts": {"insert": 0.03},
    "deletes": {"delete": 0.03},
    "wrong answers": {"wrong": 0.05},
    "grows, inserts": {"grow": 0.03, "insert": 0.02, "wrong": 0.01},
    "grows, deletes": {"grow": 0.03, "delete": 0.02, "wrong": 0.01},
}
SEEN = ("quiet", "growing", "inserts", "deletes")


class KilledError(Exception):
    """The end of a run."""


def kill(shop, at_once):
    """The pages that a run keeps which is killed after some questions."""
    last, kept = shop.asked + shop.chance.randint(1, shop.count() + 2 * at_once), {}

    async def ask(number):
        if shop.asked >= last:
            raise KilledError
        kept[number] = await shop.ask(number)
        return kept[number]

    with contextlib.suppress(KilledError):
        asyncio.run(PagedReader(ask, at_once, {}, silent).read(shop.knows))
    return kept


@pytest.mark.parametrize("moving", MOVING)
def test_nothing_is_lost_while_the_list_moves(seed, moving):
    losses = [
        one for one, shop, at_once in shops(seed, **MOVING[moving]) if lost(shop, listing(shop, at_once))
    ]
    # a wrong answer three times in a row, or an entry listed twice, may hide one in a thousand rounds
    assert len(losses) <= (moving not in SEEN), losses


@pytest.mark.parametrize("moving", MOVING)
def test_nothing_new_is_lost_of_a_list_that_is_known_in_part(seed, moving):
    losses = []
    for one, shop, at_once in shops(seed, **MOVING[moving]):
        shop.old = frozenset(shop.entries[: shop.chance.randint(0, len(shop.entries) * 3 // 4)])
        shop.needed = shop.back_to_known()
        losses += [one] if lost(shop, listing(shop, at_once)) else []
    assert len(losses) <= (moving not in SEEN), losses


@pytest.mark.parametrize("between", ["grow", "insert", "delete"])
def test_nothing_is_lost_where_a_killed_run_is_taken_up_after_moves(seed, between):
    for one, shop, at_once in shops(seed):
        kept = kill(shop, at_once)
        setattr(shop, between, 0.5)
        shop.entries += [shop.fresh() for _ in range(shop.chance.randrange(9 * shop.size))]
        for _ in range(6):
            shop.move()
        setattr(shop, between, 0)
        shop.needed = set(shop.entries)
        assert not lost(shop, listing(shop, at_once, kept)), one


@pytest.mark.parametrize("change", ["insert", "delete"])
def test_nothing_is_lost_where_a_run_was_killed_while_it_asked_again(change):
    for stop in range(43, 58):
        shop = Moving(random.Random(stop), [str(number) for number in range(198)])
        kept = {}

        async def ask(number, shop=shop, kept=kept, stop=stop):
            if shop.asked == 20:  # pages 40 to 22 are read
                shop.entries[:1] = ["late", "0"] if change == "insert" else []
            if shop.asked == stop:
                raise KilledError
            kept[number] = await shop.ask(number)
            return kept[number]

        with pytest.raises(KilledError):
            asyncio.run(PagedReader(ask, 1, {}, silent).read(shop.knows))
        shop.needed = set(shop.entries)
        assert not lost(shop, listing(shop, 1, kept)), stop


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_quiet_list_is_asked_once_but_for_its_newest_pages(at_once):
    shop = Moving(random.Random(1), [str(number) for number in range(498)])
    assert not lost(shop, listing(shop, at_once))
    assert (
        shop.asked == 100 + at_once + 2
    )  # page 1 tells the count first; the last, short one is asked thrice


def test_a_quiet_list_is_taken_up_where_it_was_left():
    shop = Moving(random.Random(1), [str(number) for number in range(498)])
    kept = {number: shop.page(shop.at(number)) for number in range(41, 101)}
    assert not lost(shop, listing(shop, 4, kept))
    assert shop.asked == 1 + 40 + 4 + 2


def test_only_the_pages_back_to_a_known_one_are_asked():
    entries = [str(number) for number in range(498)]
    shop = Moving(random.Random(1), entries, old=frozenset(entries[:400]))
    reader = listing(shop)
    assert not lost(shop, reader)
    assert shop.asked < 21 + 4 + 10


def test_a_late_entry_costs_the_pages_behind_it_once_more():
    shop = Moving(random.Random(1), [str(number) for number in range(498)])
    shop.answered = lambda number: (shop.asked == 30 and shop.entries.insert(300, "late")) or shop.at(number)
    assert not lost(shop, listing(shop))
    assert shop.asked < 100 + 40 + 4 * 4


@pytest.mark.parametrize(("entries", "asked"), [(0, 4), (3, 4), (5, 4), (7, 7)])
def test_a_list_of_no_entry_or_of_few_is_read(entries, asked):
    shop = Moving(random.Random(1), [str(number) for number in range(entries)])
    reader = listing(shop)
    assert asyncio.run(reader.read(shop.knows)) == list(range(1, max(shop.count(), 1) + 1))
    assert shop.asked <= asked


@pytest.mark.parametrize("known", [0, 20])
def test_a_list_whose_newest_entries_come_first_is_an_error(known):
    entries = [str(number) for number in range(50)]
    shop = Moving(random.Random(1), entries, old=frozenset(entries[known or 30 :]))
    shop.knows = shop.knows if known else lambda one: False
    with pytest.raises(NightshelfError, match="newest orders first") as caught:
        asyncio.run(listing(shop).read(shop.knows))
    assert not isinstance(caught.value, TransientError)


@pytest.mark.parametrize("how", ["grow", "insert", "wrong"])
def test_a_list_that_never_rests_is_given_up(seed, how):
    entries = [str(number) for number in range(100)]
    shop = Moving(random.Random(seed), entries, moves=10**6, **{how: 1})
    with pytest.raises(TransientError, match="moved all the while"):
        asyncio.run(listing(shop).read(lambda _: False))
