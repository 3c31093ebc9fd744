"""Products that a rule of the shop excludes."""

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


def hidden(**rules):
    return [
        row[c.PRODUCT]
        for row in mark_hidden(PRODUCTS, Exclusions(**rules)).to_pylist()
        if row[c.HIDDEN] is not False
    ]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, []),
        ({"products": ["10", "never heard of"]}, ["10"]),
        ({"categories": ["Gift cards", "te"]}, ["100"]),
        ({"brands": ["Internal"]}, ["11"]),
        ({"names": [r"(?i)\bvoucher\b", "^Postage$"]}, ["100", "11"]),
        ({"products": ["12"], "names": ["Postage"]}, ["11", "12", "13"]),
    ],
)
def test_each_rule_hides_what_it_names_and_nothing_else(rules, expected):
    assert hidden(**rules) == expected


def test_nothing_is_excluded_by_the_project_itself(home):
    assert load() == Exclusions()
    assert FILE.read_text().startswith("# Products that are never recommended")


def test_a_shops_own_file_is_read(home, monkeypatch):
    own = home / "our own.toml"
    own.write_text('brands = ["Internal"]\nnames = ["(?i)sample"]\n')
    monkeypatch.setenv("NIGHTSHELF_EXCLUDE", str(own))
    settings.cache_clear()
    assert load() == Exclusions(brands=("Internal",), names=("(?i)sample",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('product = ["10"]', "product: "),
        ("products = [10]", "products.0: "),
        ('names = ["fine", "("]', "names: Value error, pattern 2 is not a valid"),
        ("names = [", "can't be read"),
        (None, "can't be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(home, monkeypatch, content, told):
    own = home / "own.toml"
    if content:
        own.write_text(content)
    monkeypatch.setenv("NIGHTSHELF_EXCLUDE", str(own))
    settings.cache_clear()
    with pytest.raises(NightshelfError, match=r"^NIGHTSHELF_EXCLUDE ") as caught:
        load()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
