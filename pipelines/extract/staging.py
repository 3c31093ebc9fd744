"""Staging: the pages of a pull in progress, each a small file that is complete once it exists.

If a run is killed, the next run of the same source resumes with the pages it left.
"""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.ipc
from pydantic import BaseModel, ValidationError

from pipelines import columns as c
from pipelines.lake import tables
from pipelines.privacy import forgotten, identity_rules
from serving.errors import TransientError

RAW_ORDERS = pa.schema(
    [(c.ORDER_ID, pa.string()), (c.LINE, pa.int64())]
    + [(name, pa.string()) for name in (c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)]
    + [(name, pa.string()) for name in (c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT, c.GROUP, c.FAULT)]
    + [(name, pa.string()) for name in (c.LEFT_OUT, c.CHANGED_AT)]
    + [(c.SOURCE, pa.string()), (c.PAGE, pa.int64()), (c.EXTRACTED_AT, pa.timestamp("us", "UTC"))]
)
STATE = "pull.json"
NOTE = b"note"

Note = dict[str, Any]  # what a source records about a page for later; JSON


class State(BaseModel):
    """The pull that the staged pages belong to."""

    id: str
    started: dt.datetime
    plan: dict[str, Any]
    owner: str  # the run that writes the pages


class Staging:
    """The pages of the pull in progress."""

    def __init__(self, source: str, plan: dict[str, Any]) -> None:
        """Resumes an unfinished pull of the same plan, or else starts a new one."""
        self.folder = tables.STAGING.format(source=source)
        plan = plan | {"fields": RAW_ORDERS.names}  # an older release's pages may lack columns
        state = self._read_state()
        if state is None or state.plan != plan:
            tables.remove(self.folder)
            state = State(id=uuid.uuid4().hex, started=dt.datetime.now(dt.UTC), plan=plan, owner="")
        self.state = state.model_copy(update={"owner": uuid.uuid4().hex})
        self.id, self.started = state.id, state.started
        self.forgotten, self.pseudonyms = forgotten.load(), identity_rules.pseudonyms_of(source)
        tables.put(f"{self.folder}/{STATE}", self.state.model_dump_json().encode())

    def _read_state(self) -> State | None:
        try:
            return State.model_validate_json(tables.load(f"{self.folder}/{STATE}"))
        except (FileNotFoundError, ValidationError):
            return None

    def check_owner(self) -> None:
        """Raises TransientError if another run has taken over this pull."""
        if self._read_state() != self.state:
            raise TransientError(
                "another run is reading the same source: wait until it ends, then repeat the run"
            )

    def write(self, page: int, batches: Iterable[pa.Table], note: Note) -> None:
        """Writes a page without the orders of forgotten customers, in place of the page's earlier content.

        batches: columns of RAW_ORDERS; missing columns become null, PAGE and EXTRACTED_AT are filled in.
        """
        schema = RAW_ORDERS.with_metadata({NOTE: json.dumps(note)})
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            tables.atomic_write(self._path(page)) as file,
            pa.ipc.new_stream(file, schema, options=options) as stream,
        ):
            for rows in batches:
                columns = [self._column(rows, field, page) for field in RAW_ORDERS]
                lines = pa.table(columns, schema=schema)
                stream.write_table(self.forgotten.without(lines, self.pseudonyms))

    def _column(self, rows: pa.Table, field: pa.Field, page: int) -> Any:
        constants = {c.PAGE: page, c.EXTRACTED_AT: self.started}
        if field.name in constants:
            return pa.repeat(pa.scalar(constants[field.name], field.type), rows.num_rows)
        if field.name in rows.schema.names:
            return rows[field.name].cast(field.type)
        return pa.nulls(rows.num_rows, field.type)

    def pages(self) -> list[int]:
        """Returns the numbers of the staged pages in ascending order."""
        return sorted(int(name.partition(".")[0]) for name in tables.entries(self.folder) if name != STATE)

    def note(self, page: int) -> Note:
        """Returns the note written with a page."""
        with tables.open_file(self._path(page)) as file, pa.ipc.open_stream(file) as stream:
            return dict(json.loads(stream.schema.metadata[NOTE]))

    def read(self) -> Iterator[pa.Table]:
        """Yields the rows of all pages in the schema RAW_ORDERS, by page number."""
        for page in self.pages():
            with tables.open_file(self._path(page)) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    yield pa.Table.from_batches([batch]).replace_schema_metadata(None)

    def drop(self, page: int) -> None:
        """Deletes a page."""
        tables.remove(self._path(page))

    def remove(self) -> None:
        """Deletes all pages, once they are in raw/ or no longer needed."""
        tables.remove(self.folder)

    def _path(self, page: int) -> str:
        return f"{self.folder}/{page:08}.arrow"
