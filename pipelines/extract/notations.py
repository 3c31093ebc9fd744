"""The notation of times and numbers, recognised once in a pull and kept for its other pages."""

from dataclasses import asdict
from typing import Any

import pyarrow as pa

from pipelines.extract import lines
from pipelines.extract.mapping import Mapping
from pipelines.extract.notation import times
from pipelines.extract.source import LastPull
from serving.errors import NightshelfError

NOTATION = "notation"


class KeptNotation:
    """Turns the pages of a pull into order lines, all by the notation that its first page shows.

    If that page is ambiguous, as the page of a quiet day may be, the notation of the last pull decides.
    """

    def __init__(
        self, mapping: Mapping, note: dict[str, Any], last_pull: LastPull | None, description: str
    ) -> None:
        """note: of an earlier page of this pull, whose notation is kept."""
        self.mapping, self.description = mapping, description
        self.last = last_pull.reached.get(NOTATION) if last_pull else None
        self.kept: dict[str, Any] | None = note.get(NOTATION)

    @property
    def note(self) -> dict[str, Any]:
        """The notation, for the note of a page or the position of a pull; empty before the first page."""
        kept = self.kept or self.last
        return {NOTATION: kept} if kept else {}

    def order_lines(self, rows: pa.Table) -> pa.Table:
        """Returns a page's rows (columns of the source as strings, LINE, SOURCE) as order lines."""
        (result,) = lines.order_lines([rows], self._stated(rows), self.description)
        return result

    def times(self, rows: pa.Table) -> pa.ChunkedArray:
        """Returns the times of rows as ISO 8601 where they can be read; the rows need no other column."""
        column = lines.times_of(rows, self.mapping)
        if not self.kept:
            self.kept = {"times": self.mapping.times or times.recognise_times(column, self.description)}
        return times.to_iso(column, tuple(self.kept["times"]))

    def _stated(self, rows: pa.Table) -> Mapping:
        """Returns the mapping with the notation stated."""
        if not self.kept:
            try:
                self.kept = asdict(lines.recognise(rows, self.mapping, self.description))
            except NightshelfError:
                if not self.last:
                    raise
                self.kept = self.last
        stated = {"times": tuple(self.kept["times"]), "decimal": self.kept["decimal"]}
        return self.mapping.model_copy(update=stated)
