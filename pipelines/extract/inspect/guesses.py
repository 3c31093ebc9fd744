"""Guesses a mapping from samples of a source's files."""

import re
from collections import defaultdict

import pandas as pd
import pyarrow as pa

from pipelines import columns as c
from pipelines.extract.inspect import orders, packed, people, related, statuses
from pipelines.extract.inspect.choice import Columns, choose, ranked
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.sample import Sample
from pipelines.extract.inspect.values import Evidence
from pipelines.extract.inspect.words import WEAK, normal, words
from pipelines.extract.mapping_tables import FILE, FOLDER
from pipelines.extract.notation import numbers, times
from serving.errors import NightshelfError

HAS_OFFSET = re.compile(r"\d:\d\d.*(Z|UTC|[+-]\d\d:?\d\d)\s*$")
LIKE_IT = (c.NAME, c.CATEGORY, c.BRAND, c.GROUP)
TIME_ZONE = "the time zone of the times: set timezone; until then they count as UTC"
SPREADSHEET = (30_000, 60_000)  # days since the end of 1899, as spreadsheets count: 1982 to 2064
UNKNOWN_START = "2015-01-01"
MONEY = (c.QUANTITY, c.UNIT_PRICE, c.AMOUNT)


class Guess:
    """A draft with the rows and columns that it was made from."""

    def __init__(self, samples: list[Sample]) -> None:
        self.draft = Draft()
        self.has_no_offset = False  # whether times need a time zone
        self.related: related.Related | None = None
        self.samples, self.others = _alike(samples)
        self.frame = _rows(self.samples)
        self.raw = [text for sample in self.samples for text in sample.raw]
        first = self.samples[0]
        for key, value in first.file.items():
            self.draft.put(f"file.{key}", value)
        self.draft.undecided += [doubt for sample in self.samples for doubt in sample.doubts]
        self.columns = self._columns(first.lines)
        self._join_others()
        self._guess()

    def _columns(self, lines: str) -> Columns:
        """Chooses the columns; the lines of an order may be nested, or packed into a cell."""
        if lines:
            self.draft.put("nested.lines", lines)
            return choose(self.frame, f"{lines}.")
        if packing := packed.recognise_packed(self.frame.drop(columns=[FOLDER, FILE])):
            defaults = type(packing)(column=packing.column)
            changed = {
                name: value
                for name, value in packing.model_dump().items()
                if value != getattr(defaults, name)
            }
            self.draft.content["packed"] = {"column": packing.column, **changed}
            self.draft.notes["packed"] = "all lines of an order are in one cell"
            self.frame = packed.expand(self.frame, packing)
            return choose(self.frame.drop(columns=[FOLDER, FILE]), f"{packing.column}.")
        return choose(self.frame.drop(columns=[FOLDER, FILE]), "")

    def _join_others(self) -> None:
        """Joins files with other columns where they know what the lines lack; names the files of lines."""
        if not self.others or any(sample.lines for sample in self.samples):
            return
        names, others = ([_file(sample) for sample in group] for group in (self.samples, self.others))
        self.draft.put("file.names", related.pattern(names, others), "the files with order lines")
        self.related = related.Related(self.columns, self.others)
        self.related.guess(self.draft, {_file(sample): sample for sample in self.others})

    def _guess(self) -> None:
        draft, columns = self.draft, self.columns
        self._guess_times()
        self.frame = orders.guess_orders(draft, self.frame, columns)
        if not (self.related and c.CUSTOMER in self.related.added):
            people.guess_people(draft, self.frame, columns)
        self._guess_products()
        for name in (*MONEY, *LIKE_IT, c.CHANGED_AT):
            if name in columns.chosen:
                draft.put(f"columns.{name}", columns.chosen[name])
        self._guess_numbers()
        self._guess_not_products()
        self.values = {name: statuses.distinct(self.frame[name]) for name in statuses.candidates(columns)}

    def guess_left_out(self, values: statuses.Values) -> None:
        """Adds what isn't a purchase, from the distinct values of the columns in `values`."""
        statuses.guess_left_out(self.draft, self.columns, values)
        statuses.guess_currency(self.draft, self.columns, self.frame, values)

    def _guess_times(self) -> None:
        if self.related and c.ORDERED_AT in self.related.added:
            self._guess_joined_times(self.related.added[c.ORDERED_AT])
            return
        name = self.columns.chosen.get(c.ORDERED_AT)
        if name is None and (day := self._day_number()):
            self._put_day_number(day)
            return
        if name is None:
            self.draft.undecided.append("when orders were placed: set ordered_at under [columns]")
            return
        self.draft.put("columns.ordered_at", name)
        if other := self._other_times(name):
            self.draft.notes["columns.ordered_at"] = f"or {', '.join(other)}"
        self._put_times(self.frame[name].dropna())

    def _guess_joined_times(self, path: str) -> None:
        name, _, column = path.partition(".")
        file = self.related.joins[name]["file"] if self.related else ""
        self._put_times(next(s.frame[column].dropna() for s in self.others if _file(s) == file))

    def _put_times(self, column: "pd.Series[str]") -> None:
        """Sets times and timezone by a column of times."""
        try:
            formats = times.recognise_times(_array(column), self.samples[0].document.name)
        except NightshelfError as error:
            self.draft.undecided.append(str(error))
            return
        if formats != (times.ISO,):
            self.draft.put("times", list(formats))
        if formats[0] not in times.EPOCHS and not column.head(200).map(has_offset).any():
            self.has_no_offset = True
            self.draft.put(
                "timezone", "UTC", "the times have no offset: write the shop's, such as Europe/Berlin"
            )
            self.draft.undecided.append(TIME_ZONE)

    def _day_number(self) -> Evidence | None:
        """Returns the column that counts days, as spreadsheets and some data sets write times."""
        names = ranked(self.columns, c.ORDERED_AT, _day_count, self.columns.free())
        return self.columns.seen[names[0][1]] if names else None

    def _put_day_number(self, seen: Evidence) -> None:
        self.columns.chosen[c.ORDERED_AT] = seen.name
        self.draft.put("columns.ordered_at", seen.name, "counts days")
        is_spreadsheet = seen.median > SPREADSHEET[0]
        start = "1899-12-30" if is_spreadsheet else UNKNOWN_START
        self.draft.put("times", [f"days since {start}"])
        if not is_spreadsheet:
            self.draft.undecided.append(
                f"the first day of {seen.name!r}: {start} is an assumption; correct times"
            )

    def _other_times(self, name: str) -> list[str]:
        others = [seen for seen in self.columns.free() if seen.is_time and seen.filled > 0.9]
        return [seen.name for seen in others if self.columns.of_order(seen.name) and seen.name != name][:3]

    def _guess_products(self) -> None:
        name = self.columns.chosen.get(c.PRODUCT)
        if name is None:
            self.draft.undecided.append("which column is the product: set product under [columns]")
            return
        further = self.columns.chosen.get(c.NAME)
        filled = self.columns.seen[name].filled
        if filled < 1 and further and further != name and self.columns.seen[further].filled > filled:
            note = (
                f"{1 - filled:.0%} of the sampled lines have no {name}: such a product is known by its name"
            )
            self.draft.put("columns.product", [name, further], note)
        else:
            self.draft.put("columns.product", name)

    def _guess_numbers(self) -> None:
        chosen = [self.columns.chosen[name] for name in MONEY if name in self.columns.chosen]
        if not {c.UNIT_PRICE, c.AMOUNT} & self.columns.chosen.keys():
            self.draft.undecided.append(
                "the prices: no column holds them, so no product is weighted by its value"
            )
        try:
            sign = numbers.recognise_decimal(
                [_array(self.frame[name].dropna()) for name in chosen], self.samples[0].document.name
            )
        except NightshelfError as error:
            self.draft.undecided.append(str(error))
            return
        shows = any(
            self.frame[name].fillna("").str.contains(rf"\{sign}\d", regex=True).any() for name in chosen
        )
        if shows:
            self.draft.put("decimal", sign)

    def _guess_not_products(self) -> None:
        name = self.columns.chosen.get(c.PRODUCT)
        if name is None:
            return
        known = {normal(word) for word in words().not_products.words}
        codes = [text for text in statuses.distinct(self.frame[name]) if normal(text) in known]
        if codes:
            pattern = "|".join(re.escape(code.strip()) for code in sorted(codes))
            self.draft.put("not_products", f"(?i)^({pattern})$", "lines that are no products")


def _day_count(seen: Evidence, by_name: float) -> float:
    names_days = "day" in normal(seen.name).split()
    is_count = 1 <= seen.median < SPREADSHEET[1] and (names_days or seen.median > SPREADSHEET[0])
    return by_name if by_name >= WEAK and seen.is_number and is_count else 0.0


def _alike(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Returns the samples with the columns that say most about orders, and the samples with other columns."""
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.columns].append(sample)
    best = max(groups, key=lambda names: (_found(groups[names][0]), sum(len(s.frame) for s in groups[names])))
    return groups[best], [sample for names, group in groups.items() if names != best for sample in group]


def _found(sample: Sample) -> int:
    if sample.frame.empty:
        return -1
    lines = f"{sample.lines}." if sample.lines else ""
    frame = sample.frame
    if not lines and (packing := packed.recognise_packed(frame)):
        frame, lines = packed.expand(frame, packing), f"{packing.column}."
    chosen = choose(frame.head(500), lines).chosen
    parts = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT)
    makes_lines = c.PRODUCT in chosen and c.ORDER_ID in chosen
    return sum(name in chosen for name in parts) * 2 + len(chosen) + 5 * makes_lines


def _file(sample: Sample) -> str:
    return sample.document.name.rpartition("/")[2]


def _rows(samples: list[Sample]) -> "pd.DataFrame":
    frames = [
        sample.frame.assign(**{FOLDER: sample.document.folder, FILE: sample.document.name})
        for sample in samples
    ]
    return pd.concat(frames, ignore_index=True)


def _array(column: "pd.Series[str]") -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(column.tolist(), pa.string())])


def has_offset(text: str) -> bool:
    """Returns whether a time states how far it is from UTC."""
    return HAS_OFFSET.search(text) is not None
