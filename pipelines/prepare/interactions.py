"""Interactions of customers with products, as the arrays that models are fitted and evaluated on."""

import datetime as dt
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipelines import columns as c
from serving.bundle.format import Array, texts

EPOCH = dt.date(1970, 1, 1)
IDS = [c.CUSTOMER, c.PRODUCT]  # columns to read dictionary-encoded


@dataclass(frozen=True)
class Interactions:
    """n rows of (customer, product, day); customers and products are rows of the sorted ids.

    What was known at a day is computed from all rows, so that a later return never shows in it.
    """

    customers: Array  # (C,) bytes, sorted
    products: Array  # (P,) bytes, sorted
    customer: Array  # (n,) int64
    product: Array  # (n,) int64
    day: Array  # (n,) int64, days since 1970
    quantity: Array  # (n,) float64, units bought
    returned: Array  # (n,) float64, units returned
    orders: Array  # (n,) int64, orders with a purchase
    digest: str = ""  # of the tables, and of the day until which they are known; empty: nothing is kept
    origin: "Interactions | None" = None  # all rows, of which these are those known at the end of day `last`
    last: int | None = None
    _latest: "list[Interactions]" = field(default_factory=list, init=False, repr=False, compare=False)

    def where(self, rows: Array) -> "Interactions":
        """Returns the selected rows, (n,) bool or (m,) int64; the ids stay the same."""
        return Interactions(
            self.customers,
            self.products,
            self.customer[rows],
            self.product[rows],
            self.day[rows],
            self.quantity[rows],
            self.returned[rows],
            self.orders[rows],
        )

    def until(self, day: int) -> "Interactions":
        """Returns what was known at the end of a day: net of returns, without customers who kept nothing.

        The latest result is remembered, since candidates of a sweep are fitted one after the other.
        """
        rows, day = self.origin or self, self._last_known(day)
        if not rows._latest or rows._latest[0].last != day:
            known = net_returns(rows.where(rows.day <= day))
            present, customer = np.unique(known.customer, return_inverse=True)
            customers, digest = rows.customers[present], self.digest_until(day)
            rows._latest[:] = [
                replace(known, customers=customers, customer=customer, digest=digest, origin=rows, last=day)
            ]
        return rows._latest[0]

    @property
    def tables_digest(self) -> str:
        """The digest of the tables alone, whatever day the interactions end."""
        return (self.origin or self).digest

    def digest_until(self, day: int) -> str:
        """Returns the digest of what `until` returns, without computing it."""
        digest = self.tables_digest
        return digest and f"{digest}@{self._last_known(day)}"

    def _last_known(self, day: int) -> int:
        """Returns the day or, if that is earlier, the last day of which anything is known."""
        return min(day, int((self.origin or self).day.max(initial=0)) if self.last is None else self.last)

    def bought(self, after: int, until: int) -> "Interactions":
        """Returns the purchases after day `after` up to and including day `until`."""
        return self.where((self.day > after) & (self.day <= until) & (self.quantity > 0))

    def matrix(self, values: Array) -> sp.csr_matrix:
        """Returns values, (n,), summed by customer and product, (C, P) float32."""
        shape = (len(self.customers), len(self.products))
        return sp.coo_matrix((values.astype(np.float32), (self.customer, self.product)), shape=shape).tocsr()

    def decay(self, half_life_days: float) -> Array:
        """Returns each row's weight, (n,) float64: 1 on the last day, half after each half-life of age.

        >>> ids, days = np.array([b"a"]), np.array([0, 30, 60])
        >>> zeros, ones = np.zeros(3, np.int64), np.ones(3)
        >>> known = Interactions(ids, ids, zeros, zeros, days, ones, 0 * ones, zeros + 1)
        >>> known.decay(half_life_days=30)
        array([0.25, 0.5 , 1.  ])
        """
        age = self.day.max(initial=0) - self.day
        return np.asarray(0.5 ** (age / half_life_days))


def interactions(rows: pa.Table, products: list[str], digest: str = "") -> Interactions:
    """Returns the table `interactions` as arrays, over its customers and the given product ids.

    digest: of both, under which fits are kept; empty: none are kept.
    """
    customers, product = _coded(rows[c.CUSTOMER]), _coded(rows[c.PRODUCT])
    ids, customer_row = np.unique(texts(customers.dictionary.to_pylist()), return_inverse=True)
    catalogue = np.sort(texts(products))
    product_row = np.searchsorted(catalogue, texts(product.dictionary.to_pylist()))
    return Interactions(
        ids,
        catalogue,
        customer_row[customers.indices.to_numpy()],
        product_row[product.indices.to_numpy()],
        pc.cast(rows[c.DAY].combine_chunks(), pa.int32()).to_numpy().astype(np.int64),
        rows[c.QUANTITY].to_numpy(),
        rows[c.RETURNED].to_numpy(),
        rows[c.ORDERS].to_numpy().astype(np.int64),
        digest,
    )


def _coded(ids: pa.ChunkedArray) -> pa.DictionaryArray:
    """Returns ids dictionary-encoded: as strings they could exceed the 2 GiB that an Arrow array holds."""
    return ids.dictionary_encode().unify_dictionaries().combine_chunks()


def day_number(day: dt.date) -> int:
    """Returns a date as days since 1970."""
    return (day - EPOCH).days


def date_of(day: int) -> dt.date:
    """Returns the date of a day since 1970."""
    return EPOCH + dt.timedelta(days=int(day))


def net_returns(rows: Interactions) -> Interactions:
    """Returns the purchases minus the returned units.

    Returns are subtracted from the oldest purchases first, so that a purchase after a return is kept.
    """
    span = int(rows.day.max(initial=0)) + 1
    pair = rows.customer * len(rows.products) + rows.product
    # Sorting by one combined key is three times as fast as by three keys.
    ordered = rows.where(np.argsort(pair * span + rows.day, kind="stable"))
    first = np.r_[True, (np.diff(ordered.customer) != 0) | (np.diff(ordered.product) != 0)][
        : len(ordered.day)
    ]
    pair_number = np.cumsum(first) - 1
    bought = _running_totals(ordered.quantity, first)
    returned = ordered.returned
    if len(returned):
        returned = np.bincount(pair_number, returned)[pair_number]
    kept = np.minimum(ordered.quantity, np.maximum(bought - returned, 0))
    return replace(ordered.where(kept > 0), quantity=kept[kept > 0])


def _running_totals(values: Array, first: Array) -> Array:
    """Returns running totals that restart at each `first`, (n,) bool."""
    total = np.cumsum(values)
    starts = np.flatnonzero(first)
    before = np.repeat(total[starts] - values[starts], np.diff(np.r_[starts, len(values)]))
    return np.asarray(total - before)
