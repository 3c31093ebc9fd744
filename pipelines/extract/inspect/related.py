"""Files that belong to the file with the order lines: those of the orders, the customers and the products."""

import re
from collections.abc import Sequence
from itertools import takewhile

from pipelines import columns as c
from pipelines.extract.inspect import statuses
from pipelines.extract.inspect.choice import Columns, choose
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.sample import Sample
from pipelines.extract.inspect.words import name_score

WANTED = (c.ORDERED_AT, c.CUSTOMER, c.NAME, c.CATEGORY, c.BRAND, c.GROUP)
KEYS = (c.ORDER_ID, c.CUSTOMER, c.PRODUCT)
UNIQUE = 0.999  # share of distinct values in a column that identifies the rows of its file
MAX_JOINS = 5


class Related:
    """The files that can be joined to the lines, and the columns that they add."""

    def __init__(self, columns: Columns, samples: Sequence[Sample]) -> None:
        self.joins: dict[str, dict[str, object]] = {}
        self.added: dict[str, str] = {}  # the joined column for each of ours
        self._tables: dict[str, Columns] = {}
        self._columns = columns
        self._known = {name: name for name in columns.seen}  # the name of a column in `on`, by its own name
        remaining = list(samples)
        while len(self.joins) < MAX_JOINS and (joined := self._next(remaining)):
            remaining.remove(joined)

    def _next(self, samples: list[Sample]) -> Sample | None:
        """Joins the first sample that adds something, and returns it."""
        for sample in samples:
            table = choose(sample.frame, "")
            key = next(
                (name for name in table.seen if name in self._known and _identifies(table, name)), None
            )
            if key is not None and (added := self._added_by(table, key)):
                self._join(sample, table, key, added)
                return sample
        return None

    def _added_by(self, table: Columns, key: str) -> dict[str, str]:
        """Returns the columns of a table that are still missing, by ours."""
        added = {
            kind: name
            for kind, name in table.chosen.items()
            if kind in WANTED and name != key and kind not in self._columns.chosen and kind not in self.added
        }
        other = next((name for name in table.seen if name != key and _is_person(table, name)), None)
        if other and self.added.get(c.CUSTOMER, "").rpartition(".")[2] == key:
            added[c.CUSTOMER] = other  # the key identifies an order, this column the person
        return added

    def _join(self, sample: Sample, table: Columns, key: str, added: dict[str, str]) -> None:
        file = sample.document.name.rpartition("/")[2]
        name = re.sub(r"\W+", "_", file.partition(".")[0]).strip("_").lower() or "other"
        self.joins[name] = {"file": file, "on": self._known[key]}
        self.added |= {kind: f"{name}.{column}" for kind, column in added.items()}
        self._known |= {column: f"{name}.{column}" for column in table.seen if column not in self._known}
        self._tables[name] = table

    def guess(self, draft: Draft, frames: dict[str, Sample]) -> None:
        """Adds the joins, their columns and their rules to the draft."""
        for name, join in self.joins.items():
            draft.put(f"join.{name}", join)
        for kind, column in self.added.items():
            draft.put(f"columns.{kind}", column)
        for name, table in self._tables.items():
            frame = frames[str(self.joins[name]["file"])].frame
            values = {column: statuses.distinct(frame[column]) for column in statuses.candidates(table)}
            rules = Draft()
            statuses.guess_left_out(rules, table, values)
            for index, rule in enumerate(rules.content.get("leave_out", [])):
                rule["column"] = f"{name}.{rule['column']}"
                draft.leave_out(rule, rules.notes[f"leave_out.{index}"])
            draft.undecided += rules.undecided


def _identifies(table: Columns, name: str) -> bool:
    seen = table.seen[name]
    names_a_thing = max(name_score(name, kind) for kind in KEYS) >= 0.5
    return names_a_thing and seen.filled > UNIQUE and seen.unique > UNIQUE


def _is_person(table: Columns, name: str) -> bool:
    seen = table.seen[name]
    return name_score(name, c.CUSTOMER) >= 0.6 and seen.filled > 0.9 and not seen.is_written_time


def pattern(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """Returns patterns that fit the names of files and none of the others.

    >>> pattern(["items-1.csv", "items-2.csv"], ["orders.csv"]), pattern(["a.csv"], ["b.csv"])
    (['items-*'], ['a.csv'])
    """
    pairs = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = "".join(letters[0] for letters in pairs)
    if len(names) > 1 and start and not any(other.startswith(start) for other in others):
        return [f"{start}*"]
    return sorted(set(names))
