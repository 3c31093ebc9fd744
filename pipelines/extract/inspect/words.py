"""The words that shops use for columns, statuses and events, from words.toml."""

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

from serving import toml
from serving.toml import FrozenModel

STRONG, WEAK = 1.0, 0.5  # how much an equal name says


class Names(FrozenModel):
    """Names of one kind of column."""

    names: tuple[str, ...]
    weak: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class WordList(FrozenModel):
    """Words of one meaning."""

    words: tuple[str, ...]


class EventWords(FrozenModel):
    """Kinds of events."""

    purchases: tuple[str, ...]
    others: tuple[str, ...]


class Words(FrozenModel):
    """All words."""

    columns: dict[str, Names]
    status: dict[str, tuple[str, ...]]
    usual: dict[str, tuple[str, ...]]
    bought: WordList
    events: EventWords
    not_products: WordList
    personal: WordList


@cache
def words() -> Words:
    """Returns the words of words.toml."""
    return toml.read(Words, Path(__file__).with_name("words.toml"), "inspect/words.toml")


@lru_cache(4096)  # the same words are compared with every column
def normal(text: str) -> str:
    """Returns a name or a word in lower case, without accents, its parts separated by spaces.

    >>> normal("orderId"), normal(" Größe (cm) "), normal("Kunden-Nr.")
    ('order id', 'große cm', 'kunden nr')
    """
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=ID\\b|Id\\b)", " ", text)
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", parts) if not unicodedata.combining(sign))
    return " ".join(re.findall(r"\w+", plain.replace("_", " ").lower()))


def name_score(name: str, kind: str) -> float:
    """Returns the confidence, from 0 to 1, that a column of this name is of this kind.

    >>> name_score("Lineitem quantity", "quantity"), name_score("AMOUNT", "quantity")
    (1.0, 0.5)
    >>> name_score("Our order id", "order_id") > 0.7, name_score("order status", "order_id")
    (True, 0.0)
    """
    names = words().columns[kind]
    own = normal(name)
    if _glued(own) in _glued_all(names.names):
        return STRONG
    tokens = own.split()
    if set(tokens) & set(names.never):
        return 0.0
    if _glued(own) in _glued_all(names.weak):
        return WEAK
    return max((_part_score(tokens, phrase) for phrase in names.names), default=0.0)


def _part_score(tokens: list[str], phrase: str) -> float:
    """Returns how much of a name a phrase covers, more at the end of the name: 0.3 to 0.9."""
    parts = normal(phrase).split()
    size, length = len(parts), len(tokens)
    if size >= length:
        return 0.0
    if tokens[-size:] == parts:
        return 0.6 + 0.3 * size / length
    within = any(tokens[start : start + size] == parts for start in range(length - size))
    return 0.3 + 0.3 * size / length if within else 0.0


def _glued(text: str) -> str:
    return text.replace(" ", "")


@cache
def _glued_all(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_glued(normal(name)) for name in names)


@cache
def status_reasons() -> dict[str, str]:
    """Returns the reason for leaving lines out by the word of their status, as `normal` writes it."""
    return {normal(word): reason for reason, listed in words().status.items() for word in listed}


@cache
def bought() -> frozenset[str]:
    """Returns the words for orders that were bought."""
    return frozenset(map(normal, words().bought.words))


def is_status(text: str) -> bool:
    """Returns whether a text is a word for the status of an order."""
    word = normal(text)
    return word in status_reasons() or (word in bought() and not word.isdecimal())
