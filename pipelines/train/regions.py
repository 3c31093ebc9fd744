"""What many buy within a group of customers: a country, a region, whatever the source maps."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import locate
from pipelines.train.trend import buyers
from serving.bundle.format import Array, texts
from serving.bundle.highest import top_n

MIN_CUSTOMERS = 20  # of fewer the list would tell what some few people bought; they stay in the overall trend
MAX_REGIONS = 50
MAX_PRODUCTS = 1000  # of a group; ten times what one question may ask for
NO_REGION = -1
NO_REGIONS = pa.schema([(c.CUSTOMER, pa.string()), (c.GROUP, pa.string())]).empty_table()


@dataclass(frozen=True)
class RegionTrends:
    """For each of G groups its T products, as rows between `start[g]` and `start[g + 1]`."""

    names: Array  # (G,) bytes, sorted
    customer: Array  # (C,) int32, the group of each customer, NONE where there is none
    start: Array  # (G + 1,) int64
    product: Array  # (T,) int32, by falling trend
    trend: Array  # (T,) float32, distinct buyers of the group, recent ones weighing more


def trends(known: Interactions, grouped: pa.Table, half_life_days: float) -> RegionTrends:
    """The trend within each of the largest groups, all of them of MIN_CUSTOMERS at least.

    grouped: the table `groups`. A smaller group isn't in it: its customers are as those of no group.
    """
    names, customer = _largest(*_assigned(known, grouped))
    weight, group = known.decay(half_life_days), customer[known.customer]
    members = (group == one for one in range(len(names)))
    found = [_first(buyers(known.where(rows), weight[rows])) for rows in members]
    return RegionTrends(
        names,
        customer,
        np.cumsum([0, *(len(products) for products, _ in found)], dtype=np.int64),
        np.concatenate([np.empty(0), *(products for products, _ in found)]).astype(np.int32),
        np.concatenate([np.empty(0), *(values for _, values in found)]).astype(np.float32),
    )


def _assigned(known: Interactions, grouped: pa.Table) -> tuple[Array, Array]:
    """The sorted names of all groups, and the group of each known customer, (C,)."""
    named = grouped[c.GROUP].combine_chunks().dictionary_encode()
    names, place = np.unique(texts(named.dictionary.to_pylist()), return_inverse=True)
    ids = texts(grouped[c.CUSTOMER].to_pylist())
    at, is_known = locate(known.customers, ids)
    customer = np.full(len(known.customers), NO_REGION)
    customer[at[is_known]] = place[named.indices.to_numpy()][is_known]
    return names, customer


def _largest(names: Array, customer: Array) -> tuple[Array, Array]:
    """The names of the groups that are kept, sorted, and the customers' places among these."""
    size = np.bincount(customer[customer != NO_REGION], minlength=len(names))
    largest = np.argsort(-size, kind="stable")[:MAX_REGIONS]
    kept = np.sort(largest[size[largest] >= MIN_CUSTOMERS])
    place = np.full(len(names) + 1, NO_REGION, np.int32)  # the last is that of NONE
    place[kept] = np.arange(len(kept))
    return names[kept], place[customer]


def _first(strength: Array) -> tuple[Array, Array]:
    """The products of a group by falling trend, and their trends, (m,) each."""
    products = top_n(np.where(strength > 0, strength, -np.inf), MAX_PRODUCTS)
    return products, strength[products]
