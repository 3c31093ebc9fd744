"""Pages on their way into raw/: each a small file, written whole as soon as it has come.

A run that is killed leaves its pages; the next run of the same source goes on with them.
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
from pipelines.lake import tables as lake
from pipelines.privacy import forgotten
from serving.errors import TransientError

RAW_ORDERS = pa.schema(
    [(c.ORDER_ID, pa.string()), (c.LINE, pa.int64())]
    + [(name, pa.string()) for name in (c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)]
    + [(name, pa.string()) for name in (c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT, c.GROUP, c.FAULT)]
    + [(c.SOURCE, pa.string()), (c.PAGE, pa.int64()), (c.EXTRACTED_AT, pa.timestamp("us", "UTC"))]
)
STATE = "pull.json"
NOTE = b"note"

Note = dict[str, Any]  # what a source wants to know of a page later; JSON


class State(BaseModel):
    """What a pull began with; the pages belong to it alone."""

    id: str
    started: dt.datetime
    plan: dict[str, Any]
    owner: str  # the run that fills it


class Staging:
    """The pages of the pull that is under way."""

    def __init__(self, source: str, plan: dict[str, Any]) -> None:
        """Goes on with the pull that was left unfinished, where it had the same plan; else begins one."""
        self.folder = lake.STAGING.format(source=source)
        plan = plan | {"fields": RAW_ORDERS.names}  # pages of another release's may lack some
        left = self._left()
        if left is None or left.plan != plan:
            lake.remove(self.folder)
            left = State(id=uuid.uuid4().hex, started=dt.datetime.now(dt.UTC), plan=plan, owner="")
        self.state = left.model_copy(update={"owner": uuid.uuid4().hex})
        self.id, self.started = left.id, left.started
        self.forgotten = forgotten.load()
        lake.put(f"{self.folder}/{STATE}", self.state.model_dump_json().encode())

    def _left(self) -> State | None:
        try:
            return State.model_validate_json(lake.load(f"{self.folder}/{STATE}"))
        except (FileNotFoundError, ValidationError):
            return None

    def check_owner(self) -> None:
        """Raises PassingError where another run has taken over."""
        if self._left() != self.state:
            raise TransientError(
                "another run reads the same source at this moment: let it end, and run the night again"
            )

    def write(self, page: int, tables: Iterable[pa.Table], note: Note) -> None:
        """Keeps a page but for those whom the shop has forgotten, in place of what it held before.

        tables: columns of RAW_ORDERS; those that are missing are null, page and time are stamped here.
        """
        schema = RAW_ORDERS.with_metadata({NOTE: json.dumps(note)})
        packed = pa.ipc.IpcWriteOptions(compression="lz4")
        with lake.whole(self._path(page)) as file, pa.ipc.new_stream(file, schema, options=packed) as stream:
            for rows in tables:
                columns = [self._column(rows, field, page) for field in RAW_ORDERS]
                stream.write_table(self.forgotten.without(pa.table(columns, schema=schema)))

    def _column(self, rows: pa.Table, field: pa.Field, page: int) -> Any:
        stamps = {c.PAGE: page, c.EXTRACTED_AT: self.started}
        if field.name in stamps:
            return pa.repeat(pa.scalar(stamps[field.name], field.type), rows.num_rows)
        if field.name in rows.schema.names:
            return rows[field.name].cast(field.type)
        return pa.nulls(rows.num_rows, field.type)

    def pages(self) -> list[int]:
        """The numbers of the pages kept, ascending."""
        return sorted(int(name.partition(".")[0]) for name in lake.entries(self.folder) if name != STATE)

    def note(self, page: int) -> Note:
        """What was noted of a page."""
        with lake.opened(self._path(page)) as file, pa.ipc.open_stream(file) as stream:
            return dict(json.loads(stream.schema.metadata[NOTE]))

    def read(self) -> Iterator[pa.Table]:
        """The rows of all pages, in the order of their numbers, table by table as they were kept."""
        for page in self.pages():
            with lake.opened(self._path(page)) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    yield pa.Table.from_batches([batch]).replace_schema_metadata(None)

    def drop(self, page: int) -> None:
        """Forgets a page."""
        lake.remove(self._path(page))

    def remove(self) -> None:
        """Forgets all pages: they are in raw/, or not wanted any more."""
        lake.remove(self.folder)

    def _path(self, page: int) -> str:
        return f"{self.folder}/{page:08}.arrow"
