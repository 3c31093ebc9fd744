"""Profiles: TOML files, shipped or written by the user, that say how to read the API of a kind of shop.

A profile is a mapping of the nested orders, and the tables [api] (the list of orders) and [catalogue] (the
list of products).
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from pipelines import columns as c
from pipelines.extract.mapping import Mapping, check_columns
from pipelines.extract.mapping_tables import Column
from pipelines.extract.shops.access import Access, Limits
from serving import toml
from serving.errors import NightshelfError
from serving.toml import FrozenModel

PROFILES = Path(__file__).parent / "profiles"
ECOM, EXTENDS = "ecom", "extends"
PRODUCT_COLUMNS = (c.PRODUCT, c.NAME, c.CATEGORY, c.BRAND, c.PRICE, c.IN_STOCK, c.WEIGHT)


class Pages(FrozenModel):
    """How a list is divided into pages.

    page, offset: by number; the list may shift while it is read.
    cursor: each page names the entry after which the next one begins, so that pages don't shift.
    link: each page links to the next one in the header Link.
    """

    kind: Literal["page", "offset", "cursor", "link"]
    first: int = Field(1, ge=0, le=1)  # the number of the first page
    count: str = ""  # path of the number of pages, or of entries
    count_header: str = ""  # the header with that number, where the response itself lacks it
    counts: Literal["pages", "entries"] = "pages"
    cursor: str = ""  # path of the cursor of the next page
    more: str = ""  # path of whether there is a next page; by default as long as there is a cursor
    short_is_last: bool = False  # a page with fewer entries than requested is the last one
    objects: int = Field(0, ge=0)  # entries after which the shop ends a list; its filter then reads on

    @property
    def is_counted(self) -> bool:
        """Whether the pages have numbers, and the shop says how many there are."""
        return self.kind in ("page", "offset") and bool(self.count or self.count_header)

    @model_validator(mode="after")
    def _check_cursor(self) -> "Pages":
        if self.kind == "cursor" and not self.cursor:
            raise ValueError("kind cursor needs the path of the cursor: add cursor")
        return self


class Listing(FrozenModel):
    """A list of the shop's API: a path with a query, or a query in GraphQL with variables.

    In path, query and variables these words stand for values: {page}, {offset}, {size}, {cursor}, {since},
    {recent} (see Since), {id} and {ids}.
    """

    path: str = Field(pattern="^/")
    list: str = ""  # path of the list in the response; by default the response is the list
    query: dict[str, str] = Field(default_factory=dict)
    graphql: str = ""
    variables: dict[str, Any] = Field(default_factory=dict)
    size: int = Field(100, ge=1)  # the most entries per page that the shop allows
    pages: Pages | None = None  # by default the whole list is one page


class Since(FrozenModel):
    """The filter of orders since a time; query and variables are added to those of the list."""

    by: Literal["changed", "created"] = "changed"  # what happened to the orders since the time
    # {recent} is so many days before the last known order, at least NIGHTSHELF_OVERLAP_DAYS. All orders since
    # then are read again, because the shop changes some without changing the time of their last change.
    recent_days: int = Field(0, ge=0)
    format: str = "%Y-%m-%dT%H:%M:%SZ"  # strftime, in the mapping's timezone
    query: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, Any] = Field(default_factory=dict)


class Detail(Listing):
    """A list that the shop has only for one order, or for those of one page; it is put into the order."""

    into: str  # path in the order
    # Paths in the order, * for each entry of a list: the list is fetched only where one of them has a value
    # other than false.
    when: str | tuple[str, ...] = ()
    key: str = ""  # path in an entry of the order's id: the list is fetched once for all {ids} of a page

    @property
    def conditions(self) -> tuple[str, ...]:
        """The paths of `when`."""
        return (self.when,) if isinstance(self.when, str) else self.when


class Api(Listing):
    """The list of orders."""

    order: Literal["oldest_first", "newest_first", "changed"] | None = None  # by default recognised
    since: Since | None = None
    details: tuple[Detail, ...] = ()
    cut: tuple[str, ...] = ()  # paths that are true where the shop shows only a part of a list in the order


class Catalogue(Listing):
    """The list of products."""

    columns: dict[str, Column]
    in_stock: tuple[str, ...] = ("true",)  # the values of column in_stock that mean yes; none means yes

    @model_validator(mode="after")
    def _check_columns(self) -> "Catalogue":
        if unknown := self.columns.keys() - {*PRODUCT_COLUMNS}:
            raise ValueError(
                f"unknown columns {', '.join(sorted(unknown))}: use {', '.join(PRODUCT_COLUMNS)}"
            )
        if c.PRODUCT not in self.columns:
            raise ValueError("columns lacks product: add it")
        return self


class Profile(Mapping):
    """How to read a kind of shop: a mapping of its orders, and its lists of orders and products."""

    api: Api
    access: Access = Access()
    limits: Limits = Limits()
    catalogue: Catalogue | None = None

    @model_validator(mode="after")
    def _check_lists(self) -> "Profile":
        if self.nested is None:
            raise ValueError("[nested] is missing: give lines, the path of the list of an order's lines")
        if self.access.kind == "header" and not self.access.header:
            raise ValueError("access: kind header needs the name of the header: add header")
        if self.api.pages and self.api.pages.objects and c.CHANGED_AT not in self.columns:
            raise ValueError(
                "api.pages.objects needs changed_at under [columns], by which the list is sorted"
            )
        return self


def load_profile(name: str) -> Profile:
    """Loads a shipped profile by its name, or any profile by the path of its TOML file.

    A profile with `extends` takes what it doesn't say itself from the shipped profile of that name.
    Raises NightshelfError if there is no such profile or if it can't be used.
    """
    file = Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"
    if not file.exists():
        raise NightshelfError(
            f"there is no profile {name!r}: set NIGHTSHELF_SHOP_PROFILE to the path of a TOML file, or to a"
            f" shipped profile ({', '.join(shipped())})"
        )
    profile = toml.read(Profile, file, f"profile {name!r}", completed=_extended)
    check_columns(profile, f"profile {name!r}")
    return profile


def _extended(content: dict[str, Any]) -> dict[str, Any]:
    """Returns a profile's content with that of the shipped profile that it extends."""
    base = content.pop(EXTENDS, None)
    if base is None:
        return content
    if base not in shipped():
        raise NightshelfError(f"extends names no shipped profile: write one of {', '.join(shipped())}")
    return merged(tomllib.loads((PROFILES / f"{base}.toml").read_text()), content)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Returns two objects merged: the second's value counts, and objects within are merged likewise."""
    result = one | other
    for name in one.keys() & other.keys():
        if isinstance(one[name], dict) and isinstance(other[name], dict):
            result[name] = merged(one[name], other[name])
    return result


def shipped() -> list[str]:
    """Returns the names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))
