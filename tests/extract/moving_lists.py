"""What the lists that change while they are read have in common."""

import random
from dataclasses import dataclass

from homes import SOAK


def rounds_of(few):
    """Returns how many lists a test draws: a few, or 2,000 in `make soak`."""
    return 2000 if SOAK else few


class KilledError(Exception):
    """Ends a run."""


@dataclass
class Moving:
    """A list that its requests change, `changes_left` times at most."""

    chance: random.Random

    def __post_init__(self):
        self.changes_left, self.requests = 8, 0

    def change(self, *changes):
        """Makes each of these changes with its probability, as long as changes are left."""
        for probability, make in changes:
            if self.changes_left > 0 and self.chance.random() < probability:
                self.changes_left -= 1
                make()

    def killed_after(self, last, pages=None):
        """Returns a function that fetches pages until so many were requested, and then kills the run.

        pages: takes the pages fetched, by number.
        """

        async def fetch(place):
            if self.requests >= last:
                raise KilledError
            page = await self.fetch(place)
            if pages is not None:
                pages[place] = page
            return page

        return fetch
