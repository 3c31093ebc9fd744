"""API keys: the file holds only hashes, and a key's scope decides what it allows."""

import hashlib
from pathlib import Path

import pytest

from serving.access import keys
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_finds_a_key_by_its_secret_only(file: Path) -> None:
    shop, cron = keys.add(file, "shop", "read"), keys.add(file, "cron", "write")
    loaded = keys.load(file)
    assert keys.find(loaded, shop) == keys.Key("shop", "read", hashlib.sha256(shop.encode()).hexdigest())
    assert (key := keys.find(loaded, cron)) is not None
    assert key.name == "cron"
    others = (shop[:-1], f"{shop} ", shop.swapcase(), hashlib.sha256(shop.encode()).hexdigest(), "", "ключ")
    assert [keys.find(loaded, other) for other in others] == [None] * 6


def test_the_file_holds_no_secret_and_only_its_owner_can_read_it(file: Path) -> None:
    secrets = [keys.add(file, f"key-{number}", "read") for number in range(3)]
    assert len(set(secrets)) == 3
    assert {len(secret) for secret in secrets} == {43}  # 256 bits in base64
    assert [secret for secret in secrets if secret in file.read_text()] == []
    assert oct(file.stat().st_mode & 0o777) == oct(0o600)


def test_removes_a_key_and_keeps_the_file(file: Path) -> None:
    secret = keys.add(file, "shop", "read")
    keys.remove(file, "shop")
    assert keys.load(file) == []
    assert keys.find(keys.load(file), secret) is None
    with pytest.raises(NightshelfError, match="there is no key shop"):
        keys.remove(file, "shop")


@pytest.mark.parametrize("name", ["", "two words", "a" * 65, "shop\nadmin", "ключ"])
def test_rejects_an_invalid_name(file: Path, name: str) -> None:
    with pytest.raises(NightshelfError, match="a key's name has"):
        keys.add(file, name, "read")


def test_rejects_a_name_in_use(file: Path) -> None:
    keys.add(file, "shop", "read")
    with pytest.raises(NightshelfError, match="there is a key shop already"):
        keys.add(file, "shop", "admin")


@pytest.mark.parametrize(
    "line", ["shop read", "shop read abc", f"shop root {'0' * 64}", f"a b read {'0' * 64}"]
)
def test_reports_the_number_of_an_invalid_line_and_not_its_text(file: Path, line: str) -> None:
    file.write_text(f"valid admin {'0' * 64}\n{line}\n")
    with pytest.raises(NightshelfError, match=r"line 2 of .* is no key") as raised:
        keys.load(file)
    assert line not in str(raised.value)


def test_each_scope_includes_the_previous_ones() -> None:
    allowed = {
        scope: [required for required in keys.SCOPES if keys.Key("", scope, "").allows(required)]
        for scope in keys.SCOPES
    }
    assert allowed == {"read": ["read"], "write": ["read", "write"], "admin": ["read", "write", "admin"]}


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
def test_method_and_path_decide_the_required_scope(method: str, path: str, scope: str) -> None:
    assert keys.required_scope(method, path) == scope
