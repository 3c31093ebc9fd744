"""API keys: who may ask the service what. They are kept as hashes, in a file of one line for each.

A key is 256 random bits, so nobody finds it from its SHA-256 by trying: the slow hashes made for passwords,
which people choose, would cost every request their slowness and add nothing.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from serving.errors import NightshelfError

Scope = Literal["read", "write", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)  # each may do what those before it may
BYTES = 32
NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
LINE = re.compile(rf"({NAME.pattern}) ({'|'.join(SCOPES)}) ([0-9a-f]{{64}})", re.ASCII)

# They are posted for the length of what they ask, and change nothing.
ASKING = ("/reco", "/v1/recommendations", "/v1/cart/recommendations")


@dataclass(frozen=True)
class Key:
    """A key without its secret."""

    name: str
    scope: Scope
    digest: str  # SHA-256 of the secret, in hex

    def may(self, wanted: Scope) -> bool:
        """Whether its scope holds another."""
        return SCOPES.index(self.scope) >= SCOPES.index(wanted)


def scope_of(method: str, path: str) -> Scope:
    """The scope that a route asks for, by the method and the template of the path."""
    if method in ("GET", "HEAD", "OPTIONS") or path in ASKING:
        return "read"
    return "admin" if method == "DELETE" else "write"


def load(file: Path) -> list[Key]:
    """The keys in a file; raises NightshelfError naming the line that is none, FileNotFoundError."""
    try:
        lines = file.read_text().splitlines()
    except (PermissionError, IsADirectoryError, UnicodeDecodeError) as error:
        raise NightshelfError(f"the keys in {file} can't be read ({type(error).__name__})") from None
    return [_key(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def known(file: Path) -> list[Key]:
    """The keys in a file; none where there is no file. Raises NightshelfError as `load` does."""
    try:
        return load(file)
    except FileNotFoundError:
        return []


def matching(keys: list[Key], secret: str) -> Key | None:
    """The key of a secret; how long it takes tells nothing of the keys."""
    digest = _digest(secret)
    found = [key for key in keys if hmac.compare_digest(key.digest, digest)]
    return found[0] if found else None


def add(file: Path, name: str, scope: Scope) -> str:
    """The secret of a new key, which is told this once; raises NightshelfError for a name that won't do."""
    keys = known(file)
    if not NAME.fullmatch(name):
        raise NightshelfError("a key's name has 1 to 64 letters of a-z, A-Z, 0-9, '.', '_' and '-'")
    if any(key.name == name for key in keys):
        raise NightshelfError(f"there is a key {name} already: remove it first, or choose another name")
    secret = secrets.token_urlsafe(BYTES)
    _write(file, [*keys, Key(name, scope, _digest(secret))])
    return secret


def put(file: Path, name: str, scope: Scope, secret: str) -> None:
    """Has the file hold a key of a secret made elsewhere, in place of one of that name.

    Raises NightshelfError for a secret that could be guessed by its hash.
    """
    if len(secret) < BYTES:
        raise NightshelfError(f"the secret of the key {name} has to have {BYTES} random letters at least")
    others = [key for key in known(file) if key.name != name]
    _write(file, [*others, Key(name, scope, _digest(secret))])


def remove(file: Path, name: str) -> None:
    """Leaves a file without a key; one without any keeps all out. Raises NightshelfError where none is."""
    keys = known(file)
    left = [key for key in keys if key.name != name]
    if len(left) == len(keys):
        raise NightshelfError(f"there is no key {name}: `nightshelf keys list` names them")
    _write(file, left)


def _write(file: Path, keys: list[Key]) -> None:
    beside = file.with_name(f".{file.name}")
    beside.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as output:
        output.writelines(f"{key.name} {key.scope} {key.digest}\n" for key in keys)
    beside.replace(file)


def _key(file: Path, number: int, line: str) -> Key:
    if not (found := LINE.fullmatch(line.strip())):
        raise NightshelfError(f"line {number} of {file} is no key: `nightshelf keys add` writes them")
    name, scope, digest = found.groups()
    return Key(name, next(one for one in SCOPES if one == scope), digest)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
