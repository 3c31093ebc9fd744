"""Inspects files: guesses a mapping, reads the files by it, and reports the result."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from rich.console import Group, RenderableType
from rich.text import Text

from pipelines import columns as c
from pipelines.extract.inspect import packed, scan, show
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.guesses import TIME_ZONE, Guess
from pipelines.extract.inspect.sample import Sample, sample, selection
from pipelines.extract.inspect.shapes import recognise_shape, shipped
from pipelines.extract.inspect.write import to_toml
from pipelines.extract.join import lines_and_joined
from pipelines.extract.mapping import REQUIRED
from pipelines.extract.mapping_tables import alternatives
from pipelines.extract.readers.documents import Listing, list_documents, passed_over_note
from serving.errors import NightshelfError


@dataclass
class Inspection:
    """The result of an inspection: the mapping as TOML, and the report for the terminal."""

    draft: Draft
    toml: str
    is_usable: bool  # whether the mapping has all required columns and reads the files
    report: RenderableType


def inspect_files(path: str) -> Inspection:
    """Returns the mapping that reads a file, an archive or a folder, as far as it can be guessed.

    Raises NightshelfError if there is nothing that can be read as a table.
    """
    if not path or not Path(path).exists():
        raise NightshelfError(f"there is no file {path!r}: give the path of a file or a folder")
    listing = list_documents(Path(path))
    samples = _samples(listing)
    draft, main = _draft(samples, listing)
    toml = to_toml(draft, Path(path).resolve().name)
    intro = _intro(draft, main, samples, listing)
    if missing := [name for name in REQUIRED if name not in draft.content.get("columns", {})]:
        draft.undecided.append(
            f"{', '.join(missing)}: no nightly run is possible before these are under [columns]"
        )
        return Inspection(draft, toml, False, Group(intro, show.undecided(draft.undecided)))
    reading = scan.Reading(Path(path), listing.documents, draft.mapping())
    try:
        shown, counts = _rows(reading, main), reading.counts()
    except NightshelfError as error:
        draft.undecided.append(str(error))
        return Inspection(draft, toml, False, Group(intro, show.undecided(draft.undecided)))
    report = Group(intro, shown, show.counts_table(counts), show.undecided(draft.undecided))
    return Inspection(draft, toml, True, report)


def _samples(listing: Listing) -> list[Sample]:
    """Returns samples of some documents; one that can't be read is passed over if there are others."""
    samples, errors = [], []
    for document in selection(listing.documents):
        try:
            samples.append(sample(document))
        except NightshelfError as error:
            errors.append(error)
    if not samples:
        raise errors[0]
    return samples


def _draft(samples: list[Sample], listing: Listing) -> tuple[Draft, Sample]:
    """Returns the draft, and the sample whose rows are shown."""
    guess = Guess(samples)
    name = recognise_shape(samples)
    if name and _is_as_published(guess, draft := shipped(name)):
        mapping = draft.mapping()
        if guess.has_no_offset and mapping.timezone == "UTC":
            draft.undecided.append(TIME_ZONE)
        lines, _ = lines_and_joined([sample.document for sample in samples], mapping)
        return draft, next(sample for sample in samples if sample.document in lines)
    guess.guess_left_out(_values(guess, listing))
    return guess.draft, guess.samples[0]


def _is_as_published(guess: Guess, draft: Draft) -> bool:
    """Returns whether the files have the notation that the shipped mapping expects."""
    own, expected = guess.draft.content, draft.content
    same_file = not {"encoding", "delimiter", "quote", "sheets"} & own.get("file", {}).keys()
    same_decimal = own.get("decimal", ".") == expected.get("decimal", own.get("decimal", "."))
    stated = expected.get("times")
    forms = {_form(text) for text in own.get("times", ["iso"])}
    same_times = stated is None or bool(expected.get("join")) or forms <= set(map(_form, stated))
    return same_file and same_decimal and (same_times or "ordered_at" not in own.get("columns", {}))


def _form(times: str) -> str:
    """Returns a format of times; days since any date are one format."""
    return "days since" if times.startswith("days since") else times


def _values(guess: Guess, listing: Listing) -> dict[str, list[str]]:
    """Returns the distinct values of columns that may hold statuses, of all files with the same columns."""
    prefix = guess.columns.lines
    own = [name for name in guess.values if not prefix or not name.startswith(prefix)]
    names = {sample.document.name for sample in guess.others}
    documents = [document for document in listing.documents if document.name not in names]
    try:
        read = scan.distinct_values(documents, guess.draft.mapping(), own) if own else {}
    except NightshelfError:
        return guess.values
    return {name: sorted({*values, *read.get(name, values)}) for name, values in guess.values.items()}


def _rows(reading: scan.Reading, main: Sample) -> RenderableType:
    """Returns the table of rows beside the order lines that they become."""
    mapping = reading.mapping
    frame = main.frame
    if mapping.packed and mapping.packed.column in frame.columns:
        frame = packed.expand(frame, mapping.packed)
    customer = alternatives(mapping.columns[c.CUSTOMER]) if c.CUSTOMER in mapping.columns else ()
    lines: pa.Table = reading.first(main.document)
    return show.parsed_rows(lines.slice(0, len(frame)), pd.DataFrame(frame), main.raw, list(customer))


def _intro(draft: Draft, main: Sample, samples: list[Sample], listing: Listing) -> RenderableType:
    passed_over = passed_over_note(listing.passed_over)
    count = len(listing.documents)
    files = f"the first of {count} files" if count > 1 else "one file"
    lines = [f"{main.document.name}: {len(main.columns)} columns, {files}{passed_over}"]
    if draft.shape:
        lines.append(f"the columns are those of the shipped mapping {draft.shape}, which is used")
    joined = {join["file"] for join in draft.content.get("join", {}).values()}
    other = [sample.document.name for sample in samples if sample.columns != main.columns]
    unread = [name for name in other if name.rpartition("/")[2] not in joined]
    if joined and not draft.shape:
        lines.append(f"joined to the lines: {', '.join(sorted(joined))}")
    if unread and not draft.shape:
        lines.append(f"not read, because they have other columns: {', '.join(unread)}")
    return Group(*map(Text, lines))
