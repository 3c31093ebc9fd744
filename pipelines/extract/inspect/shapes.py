"""Recognises files that a shipped mapping reads: exports of shops' software and published data sets."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.sample import Sample
from pipelines.extract.mapping import MAPPINGS


def recognise_shape(samples: Sequence[Sample]) -> str | None:
    """Returns the name of the shipped mapping that reads these columns, or None."""
    for sample in samples:
        columns = {_plain(name) for name in sample.columns}
        for name, shapes in _shapes().items():
            if any(set(map(_plain, shape)) <= columns for shape in shapes):
                return name
    return None


def shipped(name: str) -> Draft:
    """Returns a shipped mapping as a draft."""
    return Draft(tomllib.loads(shipped_text(name)), shape=name)


def shipped_text(name: str) -> str:
    """Returns the TOML file of a shipped mapping."""
    return (MAPPINGS / f"{name}.toml").read_text()


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


@cache
def _shapes() -> dict[str, list[list[str]]]:
    return tomllib.loads(Path(__file__).with_name("shapes.toml").read_text())
