"""Hides personal data in the rows that `inspect` shows."""

import re
from collections.abc import Iterable

import pandas as pd

from pipelines.extract.inspect.words import normal, words

ADDRESS = re.compile(r"[^\s@,;|\"':=]+@[^\s@,;|\"']+")
NUMBER = re.compile(r"(?<![\w.:-])(\+|00)\d[\d\s().\-/]{8,20}\d(?!\w)")
HIDDEN = "***"


def masked(customer: str | None) -> str:
    """Returns the first letter of a customer id and ***, which is enough to compare rows.

    >>> masked("anna@shop.example"), masked(None)
    ('a***', '')
    """
    text = (customer or "").strip()
    return f"{text[0]}{HIDDEN}" if text else ""


def personal_columns(names: Iterable[str], customer: Iterable[str]) -> list[str]:
    """Returns the columns that hold personal data, including the customer's."""
    known = {normal(word) for word in words().personal.words}
    return [name for name in names if name in set(customer) or set(normal(name).split()) & known]


def masked_text(raw: str, row: "pd.Series[str]", personal: Iterable[str]) -> str:
    """Returns the text of a row in one line, without values of personal columns, addresses and numbers."""
    text = raw
    values = {str(row[name]).strip() for name in personal if row.get(name) is not None}
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", HIDDEN, text)
    return " ".join(NUMBER.sub(HIDDEN, ADDRESS.sub(HIDDEN, text)).split())
