"""Source `mongo`: a collection of MongoDB, with the columns and nested lines that a mapping names."""

import datetime as dt
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import pyarrow as pa
from bson import json_util

from pipelines import columns as c
from pipelines.extract.collection import Collection
from pipelines.extract.keyed_pull import CHANGED, KeyedPull, Page
from pipelines.extract.mapping import Mapping, load_mapping
from pipelines.extract.mapping_tables import Joined, alternatives
from pipelines.extract.notations import KeptNotation
from pipelines.extract.records import Record, to_rows, value_at
from pipelines.extract.source import (
    Dialect,
    LastPull,
    Position,
    last_iso_day,
    latest_plausible_day,
    source_name,
)
from pipelines.extract.staging import Staging
from pipelines.extract.values import as_text, earlier
from pipelines.run.progress import Progress
from pipelines.settings import Settings
from serving.errors import NightshelfError

PAGE_ORDERS = 5_000
ID = "_id"

Filter = dict[str, Any]


class MongoSource:
    """Source `mongo`: the orders of a collection, each with its lines in a list ([nested] of the mapping).

    Without [nested] a document is an order line. Orders are read by ascending key, so that a killed run
    resumes after the last staged order. If one line of an order has changed, all its lines are read again.
    """

    def __init__(self, settings: Settings, mapping_name: str) -> None:
        mapping = load_mapping(mapping_name)
        if mapping.mongo is None:
            raise NightshelfError(
                f"mapping {mapping_name!r} lacks [mongo]: add `collection`, and `changed`, the field with"
                " each document's last change"
            )
        mapping.require_no_files(mapping_name)
        self.dialect: Dialect = mapping
        self.mapping, self.changed = mapping, mapping.mongo.changed
        self.lines = mapping.nested.lines if mapping.nested else None
        self.key = [ID] if self.lines else _order_fields(mapping, mapping_name)
        self.overlap = dt.timedelta(days=settings.overlap_days)
        self.collection = Collection(settings.mongo_url.get_secret_value(), mapping.mongo)
        self.description = self.collection.description
        self.name = source_name("mongo", self.description)
        self.plan = {"mapping": mapping.model_dump(mode="json")}

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the day of the last order; raises NightshelfError if there is no readable time."""
        fields = list(alternatives(self.mapping.columns[c.ORDERED_AT]))
        documents = self.collection.find(self._changed_since(last_pull), fields, [])
        notation = KeptNotation(self.mapping, {}, last_pull, self.description)
        batches = iter(lambda: list(islice(documents, PAGE_ORDERS)), [])
        times = (notation.times(to_rows(enumerate(batch), fields, self.lines)) for batch in batches)
        day = last_iso_day(times, self.mapping.timezone)
        known = last_pull.last_day if last_pull else None
        if day or known:
            return max(filter(None, (day, known)))
        raise NightshelfError(
            f"no time in field {' or '.join(fields)!r} of {self.description} can be read as a day up to"
            " today: give --as-of, or correct ordered_at or `times` in the mapping"
        )

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the order lines to staging; the position is the latest change before reading began."""
        pull = KeyedPull(self.mapping, last_pull, staging, self.description, self._latest_change)
        last = None if pull.last is None else json_util.loads(pull.last)
        expected = -(-self.collection.count(self._changed_since(last_pull)) // PAGE_ORDERS)
        return pull.stage(map(self._page, self._chunks(last_pull, last)), expected, progress)

    def products(self) -> None:
        """Returns None: the collection names products only in its order lines."""

    def _page(self, documents: list[Record]) -> Page:
        keys = [json_util.dumps(self._key(document)) for document in documents]
        return Page(self._table(documents), keys[-1], len({*keys}))

    def _key(self, document: Record) -> list[Any]:
        return [value_at(document, field) for field in self.key]

    def _chunks(self, last_pull: LastPull | None, last: list[Any] | None) -> Iterator[list[Record]]:
        """Yields the documents of whole orders, by ascending key, after the key of the last staged order."""
        documents = self._documents(last_pull, last)
        pending: list[Record] = []
        while part := list(islice(documents, PAGE_ORDERS)):
            pending += part
            key = self._key(pending[-1])
            complete = [document for document in pending if self._key(document) != key]
            if self.lines or complete:
                yield pending if self.lines else complete
            pending = [] if self.lines else [document for document in pending if self._key(document) == key]
        if pending:
            yield pending

    def _documents(self, last_pull: LastPull | None, last: list[Any] | None) -> Iterator[Record]:
        fields = [*self.mapping.file_columns, *self.key]
        condition = self._after(last)
        changed = self._changed_since(last_pull)
        if self.lines or not changed:
            return self.collection.find(_all_of(condition, changed), fields, self.key)
        return self._of_changed_orders(condition, changed, fields)

    def _of_changed_orders(self, condition: Filter, changed: Filter, fields: list[str]) -> Iterator[Record]:
        """Yields all documents of the orders of which one has changed."""
        documents = self.collection.find(_all_of(condition, changed), self.key, self.key)
        keys = (key for key, _ in groupby(documents, self._key))
        while batch := list(islice(keys, PAGE_ORDERS)):
            ids: list[Filter] = [dict(zip(self.key, key, strict=True)) for key in batch]
            among = {self.key[0]: {"$in": [key[0] for key in batch]}} if len(self.key) == 1 else {"$or": ids}
            yield from self.collection.find(among, fields, self.key)

    def _after(self, last: list[Any] | None) -> Filter:
        """Returns the condition for keys after the last one, and for keys of other types."""
        return {} if last is None else _later(self.key, last)

    def _changed_since(self, last_pull: LastPull | None) -> Filter:
        """Returns the condition of documents changed since the last pull, or without a time of change."""
        if last_pull is None or (changed := json_util.loads(last_pull.reached[CHANGED])) is None:
            return {}
        return {self.changed: {"$not": {"$lt": earlier(changed, self.overlap)}}}

    def _latest_change(self) -> str:
        """Returns the latest change as JSON.

        Times after tomorrow are mistakes. They are ignored, because they would hide all correct ones.
        """
        limit = dt.datetime.fromisoformat(latest_plausible_day()).replace(tzinfo=dt.UTC) + dt.timedelta(
            days=1
        )
        latest = self.collection.latest(self.changed, {})
        if isinstance(latest, dt.datetime) and latest > limit:
            latest = self.collection.latest(self.changed, {self.changed: {"$lt": limit}})
        return str(json_util.dumps(latest))

    def _table(self, documents: list[Record]) -> pa.Table:
        """Returns the documents' lines: the mapping's columns as strings, LINE, FAULT and SOURCE."""
        numbers = _line_numbers([self._key(document) for document in documents])
        records = zip(numbers, map(_plain, documents), strict=True)
        rows = to_rows(records, self.mapping.file_columns, self.lines)
        return rows.append_column(c.SOURCE, pa.repeat(pa.scalar("mongo"), rows.num_rows))


def _order_fields(mapping: Mapping, name: str) -> list[str]:
    """Returns the fields of a document that make an order's id."""
    column = mapping.columns[c.ORDER_ID]
    if isinstance(column, str | Joined):
        return list(alternatives(column))
    raise NightshelfError(
        f"mapping {name!r} gives alternatives for order_id, which documents of order lines can't be sorted"
        " by: name one field, or several to join"
    )


def _line_numbers(keys: list[list[Any]]) -> list[int]:
    """Returns the number of each document within its order, from 0; documents of an order are adjacent."""
    return [number for _, lines in groupby(keys) for number, _ in enumerate(lines)]


def _later(fields: list[str], key: list[Any]) -> Filter:
    """Returns the condition that fields come after a key; $gt would leave out values of other types."""
    later: Filter = {fields[0]: {"$not": {"$lte": key[0]}}}
    if len(fields) == 1:
        return later
    return {"$or": [later, _all_of({fields[0]: key[0]}, _later(fields[1:], key[1:]))]}


def _all_of(*conditions: Filter) -> Filter:
    given = [condition for condition in conditions if condition]
    return {"$and": given} if len(given) > 1 else (given[0] if given else {})


def _plain(value: Any) -> Any:
    """Returns a document in which every value but objects and lists is text or null."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return as_text(value)
