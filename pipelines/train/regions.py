"""Trends by region, such as a country: the `group` of orders and of requests."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import locate
from pipelines.train.trend import buyers
from serving.bundle.format import Array, texts
from serving.bundle.highest import top_n

MIN_CUSTOMERS = 20  # a smaller region's list would reveal what a few people bought
MAX_REGIONS = 50
MAX_PRODUCTS = 1000  # per region; ten times the longest list that can be requested
NO_REGION = -1
NO_REGIONS = pa.schema([(c.CUSTOMER, pa.string()), (c.GROUP, pa.string())]).empty_table()


@dataclass(frozen=True)
class RegionTrends:
    """Trending products of G regions; the products of region g are `start[g]` to `start[g + 1]`."""

    names: Array  # (G,) bytes, sorted
    customer: Array  # (C,) int32, row of `names`, or NO_REGION
    start: Array  # (G + 1,) int64
    product: Array  # (T,) int32, by falling trend
    trend: Array  # (T,) float32, distinct buyers in the region, decayed by age


def trends(known: Interactions, customer_regions: pa.Table, half_life_days: float) -> RegionTrends:
    """Returns the trend in each of the MAX_REGIONS largest regions.

    customer_regions: the table `groups`. A region with fewer than MIN_CUSTOMERS is left out; its customers
    have no region.
    """
    names, customer = _largest(*_assigned(known, customer_regions))
    weight, region = known.decay(half_life_days), customer[known.customer]
    masks = (region == row for row in range(len(names)))
    lists = [_highest(buyers(known.where(mask), weight[mask])) for mask in masks]
    return RegionTrends(
        names,
        customer,
        np.cumsum([0, *(len(products) for products, _ in lists)], dtype=np.int64),
        np.concatenate([np.empty(0), *(products for products, _ in lists)]).astype(np.int32),
        np.concatenate([np.empty(0), *(values for _, values in lists)]).astype(np.float32),
    )


def _assigned(known: Interactions, customer_regions: pa.Table) -> tuple[Array, Array]:
    """Returns the sorted names of all regions, and each known customer's row among them, (C,)."""
    encoded = customer_regions[c.GROUP].combine_chunks().dictionary_encode()
    names, code = np.unique(texts(encoded.dictionary.to_pylist()), return_inverse=True)
    ids = texts(customer_regions[c.CUSTOMER].to_pylist())
    row, is_known = locate(known.customers, ids)
    customer = np.full(len(known.customers), NO_REGION)
    customer[row[is_known]] = code[encoded.indices.to_numpy()][is_known]
    return names, customer


def _largest(names: Array, customer: Array) -> tuple[Array, Array]:
    """Returns the sorted names of the regions that are kept, and each customer's row among them."""
    size = np.bincount(customer[customer != NO_REGION], minlength=len(names))
    largest = np.argsort(-size, kind="stable")[:MAX_REGIONS]
    kept = np.sort(largest[size[largest] >= MIN_CUSTOMERS])
    new_row = np.full(len(names) + 1, NO_REGION, np.int32)  # index -1, the last, maps NO_REGION to itself
    new_row[kept] = np.arange(len(kept))
    return names[kept], new_row[customer]


def _highest(strength: Array) -> tuple[Array, Array]:
    """Returns a region's products by falling trend, and their trends, (m,) each."""
    products = top_n(np.where(strength > 0, strength, -np.inf), MAX_PRODUCTS)
    return products, strength[products]
