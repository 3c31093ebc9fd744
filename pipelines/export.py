"""The batch output: every customer's recommendations in one table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import columns as c
from pipelines.extract import raw
from pipelines.settings import customer_key, settings
from serving.bundle import Bundle
from serving.changes import Changes
from serving.identity import normalise, pseudonym
from serving.recommender import Lane, scores
from serving.registry import opened
from serving.top import best

BATCH = 512
SCHEMA = pa.schema(
    [(c.CUSTOMER, pa.string()), (c.RANK, pa.int32()), (c.PRODUCT, pa.string()), (c.SCORE, pa.float32())]
)


def export(n: int, lane: Lane, to: Path) -> int:
    """The number of customers written: per customer, by the shop's own id, at most n products by rank.

    What was changed or forgotten since the champion learned counts here as it does in the service.
    """
    changes = Changes(settings())
    changes.look()
    bundle = changes.over(opened(settings())[1])
    changes.store.close()
    ids = _shop_ids(bundle)
    with pq.ParquetWriter(to, SCHEMA) as file:
        for batch in _batches(bundle, ids, n, lane):
            file.write_table(batch)
    return sum(one is not None for one in ids)


def _batches(bundle: Bundle, ids: list[str | None], n: int, lane: Lane) -> Iterator[pa.Table]:
    known = np.array([row for row, one in enumerate(ids) if one is not None])
    products = bundle.products.astype(str)
    for start in range(0, len(known), BATCH):
        rows = known[start : start + BATCH]
        values = scores(bundle, rows, lane)
        tops = [best(row, n) for row in values]
        yield pa.table(
            {
                c.CUSTOMER: np.repeat([ids[row] for row in rows], [len(top) for top in tops]),
                c.RANK: np.concatenate([np.arange(1, len(top) + 1) for top in tops]),
                c.PRODUCT: products[np.concatenate(tops)],
                c.SCORE: np.concatenate([row[top] for row, top in zip(values, tops, strict=True)]),
            }
        ).cast(SCHEMA)


def _shop_ids(bundle: Bundle) -> list[str | None]:
    """The shop's own id, in its one spelling, of each customer of the bundle.

    None of who is forgotten, and where raw/ lacks it.
    """
    key = customer_key()
    own = {pseudonym(one, key): normalise(one) for one in raw.customers()}
    own = {hidden: one for hidden, one in own.items() if hidden not in bundle.forgotten}
    return [own.get(hidden.decode()) for hidden in bundle.customers]
