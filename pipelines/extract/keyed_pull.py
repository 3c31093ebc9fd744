"""A pull of a database by ascending key of its orders, which resumes after the last staged order."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.extract.mapping import Mapping
from pipelines.extract.notations import KeptNotation
from pipelines.extract.source import LastPull, Position
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress

CHANGED, LAST_ORDER = "changed", "last"  # of a page's note; the first of the position, too


class Page(NamedTuple):
    """The lines of whole orders, which follow those of the page before by their keys."""

    lines: pa.Table  # the source's columns as strings, with LINE and SOURCE
    last: Any  # the key of the last order; JSON
    orders: int


class KeyedPull:
    """One pull of a database, as a killed run left it or from its beginning."""

    def __init__(
        self,
        mapping: Mapping,
        last_pull: LastPull | None,
        staging: Staging,
        description: str,
        latest_change: Callable[[], Any],
    ) -> None:
        """latest_change: returns the latest change as JSON; called unless a killed run has noted its own."""
        self.staging, self.staged = staging, len(staging.pages())
        self.note = staging.note(self.staged - 1) if self.staged else {CHANGED: latest_change()}
        self.notation = KeptNotation(mapping, self.note, last_pull, description)

    @property
    def last(self) -> Any:
        """The key of the last staged order, None before the first."""
        return self.note.get(LAST_ORDER)

    def stage(self, pages: Iterable[Page], expected: int, progress: Progress) -> Position:
        """Writes the remaining pages to staging, and returns the position: the change noted at first.

        expected: how many pages there may be.
        """
        orders, expected = 0, expected + self.staged
        for number, page in enumerate(pages, self.staged):
            lines = self.notation.order_lines(page.lines)
            note = self.note | self.notation.note | {LAST_ORDER: page.last}
            self.staging.write(number, [lines], note)
            orders += page.orders
            progress(number + 1, max(expected, number + 1), orders)
        return {CHANGED: self.note[CHANGED]} | self.notation.note
