"""Products that are never recommended: exclude.toml."""

from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator

from pipelines import columns as c
from pipelines.settings import settings
from serving import toml
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("exclude.toml")


class Exclusions(FrozenModel):
    """The lists of exclude.toml; a product that matches any of them is excluded."""

    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # regular expressions (RE2), searched anywhere in a name

    @field_validator("names")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for number, pattern in enumerate(patterns, 1):
            try:
                pc.match_substring_regex("", pattern)
            except pa.ArrowInvalid:
                raise ValueError(f"pattern {number} is not a valid RE2 regular expression") from None
        return patterns


def load() -> Exclusions:
    """Returns the exclusions; raises NightshelfError naming the file and the wrong value."""
    own_file = settings().exclude
    name = f"NIGHTSHELF_EXCLUDE ({own_file})" if own_file else FILE.name
    return toml.read(Exclusions, Path(own_file) if own_file else FILE, name)


def mark_hidden(products: pa.Table, exclusions: Exclusions) -> pa.Table:
    """Returns the table `products` with an added bool column `hidden`: whether a product is excluded."""
    lists = {c.PRODUCT: exclusions.products, c.CATEGORY: exclusions.categories, c.BRAND: exclusions.brands}
    masks = [pc.is_in(products[name], pa.array(values, pa.string())) for name, values in lists.items()]
    masks += [pc.match_substring_regex(products[c.NAME], pattern) for pattern in exclusions.names]
    return products.append_column(c.HIDDEN, pc.fill_null(reduce(pc.or_kleene, masks), False))
