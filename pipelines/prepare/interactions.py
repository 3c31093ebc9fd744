"""The interactions of customers with products, as arrays: what models are trained and evaluated on."""

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipelines import columns as c
from serving.bundle.format import Array, texts

EPOCH = dt.date(1970, 1, 1)
IDS = [c.CUSTOMER, c.PRODUCT]  # worth reading as numbers into a dictionary


@dataclass(frozen=True)
class Interactions:
    """n rows of (customer, product, day), as dense ints into the sorted ids."""

    customers: Array  # (C,) bytes, sorted
    products: Array  # (P,) bytes, sorted
    customer: Array  # (n,) int64
    product: Array  # (n,) int64
    day: Array  # (n,) int64, since 1970
    quantity: Array  # (n,) float64, units bought
    returned: Array  # (n,) float64, units returned
    orders: Array  # (n,) int64, orders that bought

    def where(self, rows: Array) -> "Interactions":
        """The chosen rows, over the same ids."""
        parts = (self.customer, self.product, self.day, self.quantity, self.returned, self.orders)
        return Interactions(self.customers, self.products, *(part[rows] for part in parts))

    def until(self, day: int) -> "Interactions":
        """What was known at the end of a day: returns netted, customers without a purchase unknown."""
        known = net_returns(self.where(self.day <= day))
        present, customer = np.unique(known.customer, return_inverse=True)
        return replace(known, customers=self.customers[present], customer=customer)

    def bought(self, after: int, until: int) -> "Interactions":
        """The purchases after one day and up to another."""
        return self.where((self.day > after) & (self.day <= until) & (self.quantity > 0))

    def matrix(self, values: Array) -> sp.csr_matrix:
        """A value per row, summed over days, (C, P) float32."""
        shape = (len(self.customers), len(self.products))
        return sp.coo_matrix((values.astype(np.float32), (self.customer, self.product)), shape=shape).tocsr()

    def decay(self, half_life_days: float) -> Array:
        """The weight of each row by its age at the last day: 1 today, 1/2 after a half-life, (n,)."""
        age = self.day.max(initial=0) - self.day
        return np.asarray(0.5 ** (age / half_life_days))


def interactions(rows: pa.Table, products: list[str]) -> Interactions:
    """The table `interactions` over all its customers and the given products."""
    customers, product = _coded(rows[c.CUSTOMER]), _coded(rows[c.PRODUCT])
    ids, place = np.unique(texts(customers.dictionary.to_pylist()), return_inverse=True)
    catalogue = np.sort(texts(products))
    product_place = np.searchsorted(catalogue, texts(product.dictionary.to_pylist()))
    return Interactions(
        ids,
        catalogue,
        place[customers.indices.to_numpy()],
        product_place[product.indices.to_numpy()],
        pc.cast(rows[c.DAY].combine_chunks(), pa.int32()).to_numpy().astype(np.int64),
        rows[c.QUANTITY].to_numpy(),
        rows[c.RETURNED].to_numpy(),
        rows[c.ORDERS].to_numpy().astype(np.int64),
    )


def _coded(ids: pa.ChunkedArray) -> pa.DictionaryArray:
    """Ids as numbers into a dictionary; the texts themselves fill no array, which holds 2 GiB at most."""
    return ids.dictionary_encode().unify_dictionaries().combine_chunks()


def day_number(day: dt.date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def date_of(day: int) -> dt.date:
    """The date of a day since 1970."""
    return EPOCH + dt.timedelta(days=int(day))


def net_returns(rows: Interactions) -> Interactions:
    """The purchases that were kept: what a customer returned is taken from the oldest ones first.

    Oldest first, so that what was bought after a return stays.
    """
    span = int(rows.day.max(initial=0)) + 1
    pair = rows.customer * len(rows.products) + rows.product
    # By one number: sorting by its three parts takes three times as long.
    r = rows.where(np.argsort(pair * span + rows.day, kind="stable"))
    first = np.r_[True, (np.diff(r.customer) != 0) | (np.diff(r.product) != 0)][: len(r.day)]
    group = np.cumsum(first) - 1
    bought = _running(r.quantity, first)
    returned = np.bincount(group, r.returned)[group] if len(group) else r.returned
    kept = np.minimum(r.quantity, np.maximum(bought - returned, 0))
    return replace(r.where(kept > 0), quantity=kept[kept > 0])


def _running(values: Array, first: Array) -> Array:
    """Running totals that begin anew at each `first`, (n,)."""
    total = np.cumsum(values)
    starts = np.flatnonzero(first)
    before = np.repeat(total[starts] - values[starts], np.diff(np.r_[starts, len(values)]))
    return np.asarray(total - before)
