"""`inspect` on the shapes of public data sets and shops' exports: by guesses alone, and as it is used."""

from pathlib import Path

import published
import pytest

from pipelines import columns as c
from pipelines.extract.inspect.guesses import Guess
from pipelines.extract.inspect.inspection import inspect_files
from pipelines.extract.inspect.sample import sample, selection
from pipelines.extract.inspect.write import to_toml
from pipelines.extract.readers.documents import list_documents
from serving.errors import NightshelfError

NEEDED = 8  # of the ten shapes, by guesses alone


def is_right(path, toml, drawn, name, folder):
    """Whether a mapping reads what was bought: every piece, order, customer and product."""
    (mapping := folder / "guessed.toml").write_text(toml)
    rows = published.lines(path, mapping)
    bought, expected = published.truth(drawn, name)
    facts = ((c.ORDER_ID, "order"), (c.CUSTOMER, "customer"), (c.PRODUCT, "product"))
    counts = all(rows[ours].nunique() == len({getattr(line, own) for line in bought}) for ours, own in facts)
    return counts and published.pieces(rows) == expected


def write(name, folder, seed):
    (files := folder / name).mkdir()
    drawn = published.draw(seed, orders=1500)
    return published.SHAPES[name](drawn, files), drawn


def test_guesses_alone_are_right_for_most_shapes(home, tmp_path, seed):
    right = []
    for name in published.SHAPES:
        path, drawn = write(name, tmp_path, seed)
        guess = Guess([sample(document) for document in selection(list_documents(Path(path)).documents)])
        guess.guess_left_out(guess.values)
        try:
            right += [name] if is_right(path, to_toml(guess.draft, name), drawn, name, tmp_path) else []
        except NightshelfError as error:
            print(name, error)
    print(sorted(set(published.SHAPES) - set(right)), "are not right")
    assert len(right) >= NEEDED


@pytest.mark.parametrize("name", published.SHAPES)
def test_inspect_writes_a_mapping_that_reads_the_shape(name, home, tmp_path, seed):
    path, drawn = write(name, tmp_path, seed)
    inspection = inspect_files(str(path))
    assert inspection.is_usable
    assert inspection.draft.shape == name
    assert is_right(path, inspection.toml, drawn, name, tmp_path)
