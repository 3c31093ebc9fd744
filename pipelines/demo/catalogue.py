"""The demo shop's product catalogue."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from pipelines.demo.chance import Stream, generator
from pipelines.demo.words import BRANDS, CATEGORIES, Category, Style

STYLES = 4
CLUSTERS = len(CATEGORIES) * STYLES
FIRST_ID = 10001
SIZE_PRICE = (1.0, 1.7, 2.9)


@dataclass(frozen=True)
class Product:
    """A product; `cluster` is its taste cluster: index of the category * STYLES + index of the style."""

    id: str
    name: str
    category: str
    brand: str
    price: float
    cluster: int


def catalogue(count: int, seed: int) -> tuple[Product, ...]:
    """The products, sorted by cluster, evenly spread over the clusters; the same for the same seed.

    count: at least 200. If a cluster runs out of names, they are repeated as further editions.
    """
    rng = generator(seed, Stream.CATALOGUE)
    brands = _brands(rng)
    products: list[Product] = []
    for cluster, share in enumerate(np.array_split(np.arange(count), CLUSTERS)):
        category = CATEGORIES[cluster // STYLES]
        products += _cluster(rng, cluster, category, brands[category.name], share)
    return tuple(products)


def _brands(rng: np.random.Generator) -> dict[str, list[str]]:
    """The brands of each category; every brand is in one to three categories."""
    brands: dict[str, list[str]] = {category.name: [] for category in CATEGORIES}
    for number, brand in enumerate(BRANDS):
        home = number % len(CATEGORIES)
        others = rng.permutation(np.delete(np.arange(len(CATEGORIES)), home))[: rng.integers(3)]
        for index in (home, *others):
            brands[CATEGORIES[index].name].append(brand)
    return brands


def _cluster(
    rng: np.random.Generator, cluster: int, category: Category, brands: list[str], indices: np.ndarray
) -> list[Product]:
    style = category.styles[cluster % STYLES]
    names = len(brands) * len(style.nouns) * len(style.sizes)
    editions = range(-(-len(indices) // names))
    articles = list(product(brands, style.nouns, range(len(style.sizes)), editions))
    chosen = rng.choice(len(articles), len(indices), replace=False)
    return [
        _product(rng, int(index), cluster, category, style, *articles[article])
        for index, article in zip(indices, chosen, strict=True)
    ]


def _product(
    rng: np.random.Generator,
    index: int,
    cluster: int,
    category: Category,
    style: Style,
    brand: str,
    noun: str,
    size: int,
    edition: int,
) -> Product:
    price = _price(category.prices, rng.random(), SIZE_PRICE[size])
    name = f"{brand} {noun}{style.sizes[size]}" + (f", no. {edition + 1}" if edition else "")
    return Product(str(FIRST_ID + index), name, category.name, brand, price, cluster)


def _price(smallest: tuple[int, int], position: float, factor: float) -> float:
    """A price that ends in 9, log-uniform between the category's bounds, times the size's factor."""
    low, high = smallest
    return float(round(low * (high / low) ** position * factor, -1) - 1)
