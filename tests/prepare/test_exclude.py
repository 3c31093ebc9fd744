"""Products excluded by exclude.toml."""

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.prepare.exclude import FILE, Exclusions, load, mark_hidden
from pipelines.settings import settings
from serving.errors import NightshelfError

PRODUCTS = pa.table(
    {
        c.PRODUCT: ["10", "100", "11", "12", "13"],
        c.NAME: ["Tea", "Gift VOUCHER 10", "Postage", None, "Postage stamps, old"],
        c.CATEGORY: ["tea", "Gift cards", None, "tea", "collecting"],
        c.BRAND: ["Acme", None, "Internal", "Acme", None],
    }
)


def hidden(**lists):
    return [
        row[c.PRODUCT]
        for row in mark_hidden(PRODUCTS, Exclusions(**lists)).to_pylist()
        if row[c.HIDDEN] is not False
    ]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({}, []),
        ({"products": ["10", "never heard of"]}, ["10"]),
        ({"categories": ["Gift cards", "te"]}, ["100"]),
        ({"brands": ["Internal"]}, ["11"]),
        ({"names": [r"(?i)\bvoucher\b", "^Postage$"]}, ["100", "11"]),
        ({"products": ["12"], "names": ["Postage"]}, ["11", "12", "13"]),
    ],
)
def test_each_list_hides_the_products_it_names_and_no_others(lists, expected):
    assert hidden(**lists) == expected


def test_the_shipped_file_excludes_nothing(home):
    assert load() == Exclusions()
    assert FILE.read_text().startswith("# Products that are never recommended")


def test_a_shops_own_file_is_read(home, monkeypatch):
    own_file = home / "our own.toml"
    own_file.write_text('brands = ["Internal"]\nnames = ["(?i)sample"]\n')
    monkeypatch.setenv("NIGHTSHELF_EXCLUDE", str(own_file))
    settings.cache_clear()
    assert load() == Exclusions(brands=("Internal",), names=("(?i)sample",))


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ('product = ["10"]', "product: "),
        ("products = [10]", "products.0: "),
        ('names = ["fine", "("]', "names: Value error, pattern 2 is not a valid"),
        ("names = [", "can't be read"),
        (None, "can't be read"),
    ],
)
def test_an_invalid_file_raises_one_line_naming_the_setting(home, monkeypatch, content, fragment):
    own_file = home / "own.toml"
    if content:
        own_file.write_text(content)
    monkeypatch.setenv("NIGHTSHELF_EXCLUDE", str(own_file))
    settings.cache_clear()
    with pytest.raises(NightshelfError, match=r"^NIGHTSHELF_EXCLUDE ") as caught:
        load()
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)
