"""Line breaks in quoted cells are kept at any size of file; a quote that is never closed is refused."""

import random
import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines import columns as c
from pipelines.extract.files import file_lines
from pipelines.extract.join import JoinedFiles
from pipelines.extract.mapping import Mapping
from pipelines.extract.readers.documents import Document
from pipelines.extract.readers.encodings import BLOCK
from serving.errors import NightshelfError

HEADER = "id,at,who,sku,n,price,title,note"
COLUMNS = {c.ORDER_ID: "id", c.ORDERED_AT: "at", c.CUSTOMER: "who", c.PRODUCT: "sku", c.QUANTITY: "n"}
COLUMNS |= {c.UNIT_PRICE: "price", c.NAME: "title"}
MAPPING = Mapping.model_validate({"columns": COLUMNS})


def row(number, title="Tea", note=""):
    return f"{number},2026-01-31 10:00:00,C{number % 7},P{number % 5},1,2.50,{title},{note}"


def read(path, text, mapping=MAPPING):
    path.write_text(text, newline="")
    return pa.concat_tables(
        file_lines(Document(path.name, path), JoinedFiles(mapping, path)), promote_options="default"
    )


@pytest.mark.parametrize("shift", range(8))
def test_a_line_break_in_a_note_is_kept_wherever_a_block_ends(tmp_path, shift):
    note = '"please\nring, ""twice""\n\nthen leave"'
    rows, size = [HEADER], len(HEADER) + 1
    while size + 200 < BLOCK - shift:
        rows.append(row(len(rows), "Tea"))
        size += len(rows[-1]) + 1
    padding = BLOCK - shift * 4 - size - len(row(len(rows), "", '"please')) - 1
    rows.append(row(len(rows), "x" * padding, note))
    rows += [row(number, '"Mug, blue"', note) for number in range(len(rows), len(rows) + 500)]
    table = read(tmp_path / "orders.csv", "\n".join(rows))
    assert table[c.ORDER_ID].to_pylist() == [str(number) for number in range(1, len(rows))]
    assert table[c.FAULT].null_count == table.num_rows


def test_line_breaks_in_every_row_of_a_large_file_lose_nothing(tmp_path, seed):
    rng = random.Random(seed)
    notes = ["", '"a\nb"', '"a\r\nb,\nc"', '"""quoted""\n"', '"\n"', 'plain "words"', '5" long']
    rows = [row(number, note=rng.choice(notes)) for number in range(1, 60_000)]
    table = read(tmp_path / "orders.csv", "\n".join([HEADER, *rows]) + "\n")
    assert table[c.ORDER_ID].to_pylist() == [str(number) for number in range(1, 60_000)]


OPEN = {
    "to the end of a small file": (100, []),
    "to the end of a large file": (60_000, []),
    "up to the next quoted cell": (100, [(90, '"Mug, blue"')]),
    "up to a quoted cell in a later block": (60_000, [(55_000, '"Mug, blue"')]),
    "up to a stray quote at the end of a cell": (100, [(90, 'Pipe 5"')]),
    "beside doubled quotes": (100, [(10, '"say ""Tea"""'), (60, '"a ""b"" c"')]),
    "after quoted cells": (100, [(number, '"Mug, blue"') for number in range(20, 40)]),
}


@pytest.mark.parametrize("case", OPEN)
@pytest.mark.parametrize("bad", [2, 50])
def test_a_quote_that_is_never_closed_is_refused_with_its_line(tmp_path, case, bad):
    count, titles = OPEN[case]
    titles = dict(titles) | {bad: '"Tea'}
    rows = [row(number, titles.get(number, "Tea")) for number in range(1, count + 1)]
    with pytest.raises(NightshelfError) as raised:
        read(tmp_path / "orders.csv", "\n".join([HEADER, *rows]))
    assert re.search(rf"orders\.csv.* line {bad + 1} .*quote", str(raised.value)), str(raised.value)
    assert "Tea" not in str(raised.value)


def test_a_missing_closing_quote_anywhere_loses_no_line_silently(tmp_path, seed):
    rng = random.Random(seed)
    outcomes = {"refused": 0, "quarantined": 0}
    for _ in range(60):
        cells = [
            rng.choice(['"Mug, blue"', "Tea", '"a ""b"""', '"two\nlines"', "Cup", '"x"']) for _ in range(80)
        ]
        text = "\n".join(
            [HEADER, *(row(number, cell, rng.choice(cells)) for number, cell in enumerate(cells, 1))]
        )
        position = rng.choice([match.start() for match in re.finditer('"', text)])
        text = text[:position] + text[position + 1 :]
        try:
            table = read(tmp_path / "orders.csv", text)
        except NightshelfError:
            outcomes["refused"] += 1
            continue
        good = table.filter(pc.is_null(table[c.FAULT]))
        missing = set(range(1, 81)) - {
            int(order) for order in good[c.ORDER_ID].to_pylist() if order.isdecimal()
        }
        assert len(missing) <= table.num_rows - good.num_rows, text[position - 50 : position + 50]
        outcomes["quarantined"] += bool(missing)
    print(outcomes)


def test_quotes_without_meaning_can_be_declared(tmp_path):
    rows = [row(1, '"Tea'), row(2, 'Pipe 5"')]
    plain = MAPPING.model_copy(update={"file": MAPPING.file.model_copy(update={"quote": ""})})
    table = read(tmp_path / "orders.csv", "\n".join([HEADER, *rows]), plain)
    assert table[c.NAME].to_pylist() == ['"Tea', 'Pipe 5"']


def test_a_quote_inside_a_cell_is_text(tmp_path):
    table = read(tmp_path / "orders.csv", "\n".join([HEADER, row(1, 'Pipe 5" long'), row(2)]))
    assert table[c.NAME].to_pylist() == ['Pipe 5" long', "Tea"]
