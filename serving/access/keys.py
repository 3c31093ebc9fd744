"""API keys, stored as hashes in a file with one line per key.

A secret is 256 random bits, so its SHA-256 can't be inverted by guessing. A slow password hash would delay
every request and add no security.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from serving.bundle import atomic
from serving.errors import NightshelfError

Scope = Literal["read", "write", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)  # each scope includes the previous ones
SECRET_BYTES = 32
FILE_MODE = 0o600
NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
LINE = re.compile(rf"({NAME.pattern}) ({'|'.join(SCOPES)}) ([0-9a-f]{{64}})", re.ASCII)

# Queries sent by POST because of their length; they change nothing.
READING_POSTS = ("/reco", "/v1/recommendations", "/v1/cart/recommendations")


@dataclass(frozen=True)
class Key:
    """A key without its secret."""

    name: str
    scope: Scope
    digest: str  # SHA-256 of the secret, in hex

    def allows(self, required: Scope) -> bool:
        """Returns whether the key's scope includes the required one."""
        return SCOPES.index(self.scope) >= SCOPES.index(required)


def required_scope(method: str, path: str) -> Scope:
    """Returns the scope that a route requires; path: the route's template."""
    if method in ("GET", "HEAD", "OPTIONS") or path in READING_POSTS:
        return "read"
    return "admin" if method == "DELETE" else "write"


def load(file: Path) -> list[Key]:
    """Returns the keys in a file.

    Raises FileNotFoundError, or NightshelfError with the number of the line that can't be read.
    """
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise NightshelfError(
            f"the API keys in {file} can't be read ({type(error).__name__}): check that it is readable text"
        ) from None
    return [_parse(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def load_or_empty(file: Path) -> list[Key]:
    """Returns the keys in a file, or an empty list if there is no file; raises as `load` does."""
    try:
        return load(file)
    except FileNotFoundError:
        return []


def find(keys: list[Key], secret: str) -> Key | None:
    """Returns the key with a secret, or None; the comparison takes the same time for every secret."""
    digest = _digest(secret)
    matches = [key for key in keys if hmac.compare_digest(key.digest, digest)]
    return matches[0] if matches else None


def add(file: Path, name: str, scope: Scope) -> str:
    """Adds a key and returns its secret, which is stored nowhere.

    Raises NightshelfError if the name is in use or contains a character that names can't contain.
    """
    if not NAME.fullmatch(name):
        raise NightshelfError("a key's name has 1 to 64 characters: a-z, A-Z, 0-9, '.', '_' and '-'")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with _changing(file) as keys:
        if any(key.name == name for key in keys):
            raise NightshelfError(f"there is a key {name} already: remove it first, or choose another name")
        keys.append(Key(name, scope, _digest(secret)))
    return secret


def put(file: Path, name: str, scope: Scope, secret: str) -> None:
    """Adds a key with a given secret, replacing any key of that name.

    Raises NightshelfError if the secret is so short that it could be guessed from its hash.
    """
    if len(secret) < SECRET_BYTES:
        raise NightshelfError(
            f"the secret of the key {name} is too short: use at least {SECRET_BYTES} random characters"
        )
    with _changing(file) as keys:
        keys[:] = [key for key in keys if key.name != name] + [Key(name, scope, _digest(secret))]


def remove(file: Path, name: str) -> None:
    """Removes a key; a file without keys admits nobody. Raises NightshelfError if there is no such key."""
    with _changing(file) as keys:
        remaining = [key for key in keys if key.name != name]
        if len(remaining) == len(keys):
            raise NightshelfError(f"there is no key {name}: `nightshelf keys list` shows all names")
        keys[:] = remaining


def had_keys(file: Path) -> bool:
    """Returns whether there ever were keys in a file, even if it is gone, or if that can't be found out."""
    try:
        return bool(_lock_file(file).stat())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def remember(file: Path) -> None:
    """Notes that there are keys in a file, if its folder can be written to; see `had_keys`."""
    with suppress(OSError):
        _lock_file(file).touch(FILE_MODE)


def missing(file: Path) -> str:
    """Returns a message about a file of keys that should be there."""
    return (
        f"there is no file of API keys at {file}: restore it, correct NIGHTSHELF_KEYS_FILE, or run "
        f"`nightshelf keys add`; to need no keys any more, delete {_lock_file(file)}"
    )


@contextmanager
def _changing(file: Path) -> Iterator[list[Key]]:
    """Yields the keys in a file and writes them back after the block; other processes wait meanwhile.

    The lock file stays: it also shows that there were keys once.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(_lock_file(file), os.O_CREAT | os.O_RDWR, FILE_MODE)
    except OSError as error:
        raise NightshelfError(
            f"the API keys in {file} can't be changed ({type(error).__name__}): check that its folder can be"
            " written to"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = load_or_empty(file)
        yield keys
        lines = "".join(f"{key.name} {key.scope} {key.digest}\n" for key in keys)
        atomic.write_text(file, lines, mode=FILE_MODE)
    finally:
        os.close(lock)


def _lock_file(file: Path) -> Path:
    return file.with_name(f".{file.name}.lock")


def _parse(file: Path, number: int, line: str) -> Key:
    if not (match := LINE.fullmatch(line.strip())):
        raise NightshelfError(
            f"line {number} of {file} is no key: remove the line, and add keys with `nightshelf keys add`"
        )
    name, scope, digest = match.groups()
    return Key(name, next(known for known in SCOPES if known == scope), digest)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
