"""The examples in docstrings give what they say."""

import doctest
import importlib

import pytest

from serving.settings import PROJECT

PACKAGES = ("serving", "pipelines", "expectations")
MODULES = sorted(
    ".".join(file.relative_to(PROJECT).with_suffix("").parts)
    for package in PACKAGES
    for file in (PROJECT / package).rglob("*.py")
    if ">>> " in file.read_text()
)

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted
    assert not results.failed
