"""The demo shop's ground truth: the patterns that a recommender should find."""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.catalogue import CLUSTERS, STYLES, Product
from pipelines.demo.chance import Stream, generator
from pipelines.demo.words import CATEGORIES

TASTE = 0.8  # share of discoveries from the customer's favourite clusters
LOYALTY = 0.5  # chance that a consumable is bought again after its cycle
JITTER = 2  # largest deviation from a cycle, in days, either way
COMPLEMENTS = 40
CONFIDENCE = (0.3, 0.6)
FAVOURITES = 3
ZIPF = 1.0  # exponent of popularity within a cluster
ACTIVITY = 1.0  # sigma of the log-normal activity of customers
LAUNCHED, DELISTED = 0.1, 0.09  # shares of products launched and delisted in the first LIFE_DAYS days
LIFE_DAYS = 180
ALWAYS = np.iinfo(np.int32).max

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Complement:
    """If product `a` is in a basket, product `b` is added to it with this probability."""

    a: int
    b: int
    probability: float


@dataclass(frozen=True)
class Truth:
    """The planted patterns; customers and products are indices, days are counted from the shop's first.

    cluster, popularity, cycles, first_day, last_day: shape (products,). A cycle is the number of days until
    the product is bought again, 0 if it isn't consumable. favourites: (customers, 3) clusters, the last is -1
    for a customer with two. activity: (customers,) relative frequency of orders.
    """

    cluster: Ints
    popularity: Floats
    cycles: Ints
    first_day: Ints
    last_day: Ints
    favourites: Ints
    activity: Floats
    complements: tuple[Complement, ...]

    @cached_property
    def tastes(self) -> tuple[frozenset[int], ...]:
        """For every customer, the products of the favourite clusters."""
        members = [frozenset(np.flatnonzero(self.cluster == k).tolist()) for k in range(CLUSTERS)]
        return tuple(frozenset().union(*(members[k] for k in row if k >= 0)) for row in self.favourites)

    def on_sale(self, day: int) -> NDArray[np.bool_]:
        """Mask of the products that can be bought on a day."""
        return (self.first_day <= day) & (day <= self.last_day)


def season(date: dt.date) -> Floats:
    """The seasonal factor of each cluster's sales on a date, shape (CLUSTERS,); its mean over a year is 1."""
    day = date.timetuple().tm_yday
    return np.array(
        [1 + c.swing * np.cos(2 * np.pi * (day - c.peak) / 365.25) for c in CATEGORIES for _ in range(STYLES)]
    )


def plant(products: tuple[Product, ...], customers: int, seed: int) -> Truth:
    """Draws the ground truth for these products and this many customers."""
    rng = generator(seed, Stream.TRUTH)
    cluster = np.array([product.cluster for product in products])
    rank = _ranks(rng, cluster)
    complements = _complements(rng, cluster, rank)
    ends = [end for pair in complements for end in (pair.a, pair.b)]
    first_day, last_day = _lives(rng, np.setdiff1d(np.flatnonzero(rank > 1), ends), len(products))
    return Truth(
        cluster=cluster,
        popularity=_cluster_popularity(rng)[cluster] / rank**ZIPF,
        cycles=_cycles(rng, cluster),
        first_day=first_day,
        last_day=last_day,
        favourites=_favourites(rng, customers),
        activity=rng.lognormal(sigma=ACTIVITY, size=customers),
        complements=complements,
    )


def _ranks(rng: np.random.Generator, cluster: Ints) -> Ints:
    """Each product's popularity rank within its cluster, from 1."""
    return np.concatenate([rng.permutation(size) + 1 for size in np.bincount(cluster, minlength=CLUSTERS)])


def _cluster_popularity(rng: np.random.Generator) -> Floats:
    """The popularity of each cluster, shape (CLUSTERS,)."""
    return rng.lognormal(sigma=0.4, size=CLUSTERS)


def _complements(rng: np.random.Generator, cluster: Ints, rank: Ints) -> tuple[Complement, ...]:
    """Pairs of distinct products: a cluster's best seller, and a product of the companion category."""
    category = cluster // STYLES
    names = [c.name for c in CATEGORIES]
    free = rank > 1
    pairs = []
    for a in np.sort(rng.permutation(np.flatnonzero(rank == 1))[:COMPLEMENTS]):
        companion = names.index(CATEGORIES[category[a]].companion)
        b = rng.choice(np.flatnonzero(free & (category == companion)))
        free[b] = False
        pairs.append(Complement(int(a), int(b), round(rng.uniform(*CONFIDENCE), 2)))
    return tuple(pairs)


def _lives(rng: np.random.Generator, eligible: Ints, count: int) -> tuple[Ints, Ints]:
    """First and last day on sale of each product; of the eligible some are launched late, others delisted."""
    first, last = np.zeros(count, int), np.full(count, ALWAYS)
    launched, delisted = round(LAUNCHED * count), round(DELISTED * count)
    chosen = rng.permutation(eligible)
    first[chosen[:launched]] = rng.integers(1, LIFE_DAYS, launched)
    last[chosen[launched : launched + delisted]] = rng.integers(1, LIFE_DAYS, delisted)
    return first, last


def _cycles(rng: np.random.Generator, cluster: Ints) -> Ints:
    base = np.array([c.cycle for c in CATEGORIES])[cluster // STYLES]
    jitter = rng.integers(-1, 1, len(cluster), endpoint=True)
    return np.where(base > 0, np.clip(base + jitter, 7, 21), 0)


def _favourites(rng: np.random.Generator, customers: int) -> Ints:
    """Draws two or three categories per customer, and one style in each."""
    order = rng.random((customers, len(CATEGORIES))).argsort(axis=1)[:, :FAVOURITES]
    favourites = order * STYLES + rng.integers(STYLES, size=order.shape)
    favourites[rng.random(customers) < 0.5, -1] = -1
    return favourites
