"""Samples of documents: some rows of each as text, with the raw text that they came from."""

from dataclasses import dataclass, field

import pandas as pd

from pipelines.extract.inspect import structured, text
from pipelines.extract.readers.documents import Document
from serving.errors import NightshelfError

MAX_FILES = 12  # of a folder that are looked at


@dataclass
class Sample:
    """Rows of one document.

    frame: all columns as strings, None for what is missing; its index counts the rows of `raw`.
    raw: the text of each row, or a description of it.
    """

    document: Document
    frame: pd.DataFrame
    raw: list[str]
    file: dict[str, object] = field(default_factory=dict)  # keys of [file] in a mapping
    doubts: list[str] = field(default_factory=list)
    lines: str = ""  # path of the list of an order's lines in JSON

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)


def sample(document: Document) -> Sample:
    """Returns a sample of a document; raises NightshelfError if it can't be read as a table."""
    try:
        if document.format in (".csv", ".tsv", ".txt"):
            head = text.read(document)
            return Sample(document, head.frame, head.raw, head.file, head.doubts)
        if document.format in (".json", ".jsonl", ".ndjson"):
            rows = structured.json_rows(document)
            return Sample(document, rows.frame, rows.raw, rows.file, [], rows.lines)
        if document.format in (".parquet", ".pq"):
            frame, raw = structured.parquet_rows(document)
            return Sample(document, frame, raw)
        frame, raw, file = structured.workbook_rows(document)
        return Sample(document, frame, raw, file)
    except NightshelfError:
        raise
    except Exception as error:  # a library's error may quote values
        raise NightshelfError(
            f"{document.name} can't be read ({type(error).__name__}): check that it is complete and in the"
            " format that its name says"
        ) from None


def selection(documents: list[Document]) -> list[Document]:
    """Returns up to MAX_FILES documents: of each folder the first and the last, then others from all over."""
    by_folder: dict[str, list[Document]] = {}
    for document in documents:
        by_folder.setdefault(document.folder, []).append(document)
    ends = [document for group in by_folder.values() for document in (group[0], group[-1])]
    step = max(1, len(documents) // MAX_FILES)
    chosen = {document.name: document for document in [*ends, *documents[::step]]}
    return list(chosen.values())[:MAX_FILES]
