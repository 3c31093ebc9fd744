"""Keys: the file holds hashes alone, and what a key may do follows from its scope."""

import hashlib
from pathlib import Path

import pytest

from serving.access import keys
from serving.errors import NightshelfError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_a_key_is_found_by_its_secret_and_by_no_other(file: Path) -> None:
    shop, cron = keys.add(file, "shop", "read"), keys.add(file, "cron", "write")
    known = keys.load(file)
    assert keys.matching(known, shop) == keys.Key("shop", "read", hashlib.sha256(shop.encode()).hexdigest())
    assert (found := keys.matching(known, cron)) is not None
    assert found.name == "cron"
    wrong = (shop[:-1], f"{shop} ", shop.swapcase(), hashlib.sha256(shop.encode()).hexdigest(), "", "ключ")
    assert [keys.matching(known, other) for other in wrong] == [None] * 6


def test_the_file_holds_no_secret_and_is_its_owners_alone(file: Path) -> None:
    secrets = [keys.add(file, f"key-{number}", "read") for number in range(3)]
    assert len(set(secrets)) == 3
    assert {len(secret) for secret in secrets} == {43}  # 256 bits in base64
    assert [secret for secret in secrets if secret in file.read_text()] == []
    assert oct(file.stat().st_mode & 0o777) == oct(0o600)


def test_a_key_that_is_removed_is_gone_and_the_file_stays(file: Path) -> None:
    secret = keys.add(file, "shop", "read")
    keys.remove(file, "shop")
    assert keys.load(file) == []
    assert keys.matching(keys.load(file), secret) is None
    with pytest.raises(NightshelfError, match="there is no key shop"):
        keys.remove(file, "shop")


@pytest.mark.parametrize("name", ["", "two words", "a" * 65, "shop\nadmin", "ключ"])
def test_a_name_that_would_not_do_is_refused(file: Path, name: str) -> None:
    with pytest.raises(NightshelfError, match="a key's name has"):
        keys.add(file, name, "read")


def test_a_name_is_taken_once(file: Path) -> None:
    keys.add(file, "shop", "read")
    with pytest.raises(NightshelfError, match="there is a key shop already"):
        keys.add(file, "shop", "admin")


@pytest.mark.parametrize(
    "line", ["shop read", "shop read abc", f"shop root {'0' * 64}", f"a b read {'0' * 64}"]
)
def test_a_line_that_is_no_key_is_named_and_not_shown(file: Path, line: str) -> None:
    file.write_text(f"fine admin {'0' * 64}\n{line}\n")
    with pytest.raises(NightshelfError, match=r"line 2 of .* is no key") as raised:
        keys.load(file)
    assert line not in str(raised.value)


def test_each_scope_holds_those_before_it() -> None:
    may = {
        scope: [wanted for wanted in keys.SCOPES if keys.Key("", scope, "").may(wanted)]
        for scope in keys.SCOPES
    }
    assert may == {"read": ["read"], "write": ["read", "write"], "admin": ["read", "write", "admin"]}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/popular", "read"),
        ("POST", "/v1/recommendations", "read"),
        ("POST", "/reco", "read"),
        ("POST", "/v1/events", "write"),
        ("PUT", "/v1/products/{product}", "write"),
        ("DELETE", "/v1/customers/{customer}", "admin"),
        ("POST", "/unknown", "write"),
    ],
)
def test_a_route_asks_for_a_scope(method: str, path: str, scope: str) -> None:
    assert keys.scope_of(method, path) == scope
