"""Values of databases as the text that raw/ keeps."""

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

NUL = "\0"  # text of some databases holds it; Spark and PostgreSQL refuse it


def as_text(value: Any) -> str | None:
    """Returns a database's value as text, null and "not a number" as None.

    Bytes become hex digits, objects and lists JSON, numbers plain decimals.

    >>> as_text(Decimal("1E+2")), as_text(13085.0), as_text(True), as_text(b"\\x0a\\x1b")
    ('100', '13085', 'true', '0a1b')
    """
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, default=as_text, ensure_ascii=False)
    return str(value).replace(NUL, "")


def encoded(value: Any) -> Any:
    """Returns a value as JSON, from which `decoded` restores it; times become text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"hex": bytes(value).hex()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    return value if value is None or isinstance(value, int | float | str) else str(value)


def decoded(value: Any) -> Any:
    """Returns the value that `encoded` turned into JSON."""
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"]) if "hex" in value else Decimal(value["decimal"])
    return value


def earlier(changed: Any, overlap: dt.timedelta) -> Any:
    """Returns a time minus the overlap, in the same notation; other values are returned unchanged."""
    if isinstance(changed, dt.datetime):
        return changed - overlap
    if not isinstance(changed, str):
        return changed
    try:
        return str(dt.datetime.fromisoformat(changed) - overlap)
    except (ValueError, OverflowError):
        return changed
