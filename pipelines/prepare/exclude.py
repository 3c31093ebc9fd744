"""Which products are never recommended: a shop's own rules, as data."""

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
    """All of exclude.toml: a product is excluded where one of these says so."""

    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # regular expressions (RE2), found anywhere in a name

    @field_validator("names")
    @classmethod
    def _regular(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for number, pattern in enumerate(patterns, 1):
            try:
                pc.match_substring_regex("", pattern)
            except pa.ArrowInvalid:
                raise ValueError(f"number {number} is no regular expression that RE2 knows") from None
        return patterns


def load() -> Exclusions:
    """The rules of the file that is set; raises NightshelfError naming what is wrong and where."""
    own = settings().exclude
    return toml.read(
        Exclusions, Path(own) if own else FILE, f"NIGHTSHELF_EXCLUDE ({own})" if own else FILE.name
    )


def mark_hidden(products: pa.Table, rules: Exclusions) -> pa.Table:
    """The table `products`, and whether a rule hides each."""
    named = {c.PRODUCT: rules.products, c.CATEGORY: rules.categories, c.BRAND: rules.brands}
    found = [pc.is_in(products[name], pa.array(values, pa.string())) for name, values in named.items()]
    found += [pc.match_substring_regex(products[c.NAME], pattern) for pattern in rules.names]
    return products.append_column(c.HIDDEN, pc.fill_null(reduce(pc.or_kleene, found), False))
