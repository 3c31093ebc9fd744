"""Draws nasty values, and puts them somewhere into a JSON or TOML document."""

import copy
import json
import random
from typing import Any

RAW = ("1e999", "-1e999", "NaN", "1" + "0" * 400, "9" * 5_000, "-0", "1e-999", '"\\ud800"', '"\\u0000"', "\\")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, 2**64, 0.1, -0.5, 1e308),
    *("", " ", "\n", "nan", "inf", "-5", "1e999", "1_000", "٣", "0x10", "+", "1,5", "1.5.5", "9" * 400),
    *("2026-13-45T99:99", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2026-09-01T10:00:00+99:99"),
    *("2026-09-01", "-2026-09-01", "99999999999999999999", "T", "2026-09-01T10:00:00.123456789123Z"),
    *(
        "pseudonym:1",
        "=cmd()",
        "../../etc",
        "\u202e",
        "\ufeff",
        "a" * 100_000,
        "{page}",
        "%s",
        "[red]",
        "\x1b[2J",
    ),
    *([], {}, [[]], [None], [{}], {"a": {}}, [1, "2"], {"": None}, [[[[[[]]]]]]),
)
MARK = "\ue000%d\ue000"  # stands for RAW text until the document is written


def mutated(document: Any, rng: random.Random) -> Any:
    """Returns a copy of a document with one to three changes at random places."""
    changed = copy.deepcopy({"": document})
    for _ in range(rng.randint(1, 3)):
        _change(changed, rng)
    return changed.get("")


def as_json(document: Any) -> str:
    """Returns a document as JSON, in which some texts are no valid JSON."""
    text = json.dumps(document)
    for number, raw in enumerate(RAW):
        text = text.replace(json.dumps(MARK % number), raw)
    return text


def value(rng: random.Random) -> Any:
    """Returns a nasty value; it may stand for RAW text."""
    return MARK % rng.randrange(len(RAW)) if rng.random() < 0.2 else copy.deepcopy(rng.choice(VALUES))


def _change(root: dict[str, Any], rng: random.Random) -> None:
    holder, key = rng.choice(list(_places(root)))
    act = rng.random()
    if act < 0.1 and isinstance(holder, dict):
        del holder[key]
    elif act < 0.2 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice([1, 50]))
    elif act < 0.25 and isinstance(holder, dict):
        holder[rng.choice(["", "id", "errors", "extensions", "data"])] = value(rng)
    else:
        holder[key] = value(rng)


def _places(node: Any) -> Any:
    """Yields each place of a document: the object or list, and the name or index in it."""
    for key, below in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(below, dict | list):
            yield from _places(below)
