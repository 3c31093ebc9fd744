"""Tables of tests as expressions of the engine."""

import ibis
import pyarrow as pa

from pipelines.lake import engine
from pipelines.lake.functions import TIME

TYPES = {"string": "string", "long": "int64", "double": "float64", "timestamp": TIME}
TYPES |= {"array<string>": "array<string>"}


def frame(rows, schema):
    """Rows (tuples) as an expression; schema: such as `id string, at timestamp`."""
    columns = dict(column.split(" ") for column in schema.split(", "))
    types = ibis.schema({name: TYPES[kind] for name, kind in columns.items()}).to_pyarrow()
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    return engine.table(pa.Table.from_pylist(values, types))


def tuples(table):
    """The rows of an expression as tuples."""
    return [tuple(row.values()) for row in table.to_pyarrow().to_pylist()]
