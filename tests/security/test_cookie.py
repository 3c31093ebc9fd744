"""A long cookie of quotes and backslashes stops no worker (CVE-2024-7592)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import running_service
from limits import scaled
from processes import Service
from raw_http import exchange, request, status

from serving.access import keys
from serving.access.session import LONGEST_COOKIE
from serving.bundle.format import Bundle

SLOW = 'nightshelf_key="' + r"\"" * 15_000 + '"'  # takes `http.cookies` of Python 3.11.7 seconds


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def secret(home: Path) -> str:
    return keys.add(home / "keys", "shop", "read")


@pytest.fixture(scope="module")
def up(home: Path, secret: str) -> Iterator[Service]:
    import bundles

    small: Bundle = bundles.small()
    with running_service(home, small) as service:
        yield service


@pytest.mark.parametrize("path", ["/v1/popular", "/", "/sign-in", "/metrics"])
def test_a_cookie_of_quotes_is_answered_at_once(up: Service, path: str) -> None:
    started = time.perf_counter()
    answer = exchange(up.url, request(path, Cookie=SLOW), timeout=60)
    assert time.perf_counter() - started < scaled(0.5)
    assert status(answer) in (200, 401, 431)


def test_the_own_cookie_is_found_among_others(up: Service, secret: str) -> None:
    for cookie in (
        f"nightshelf_key={secret}",
        f"a=1;nightshelf_key={secret} ; b",
        f"x; nightshelf_key={secret}",
    ):
        assert status(exchange(up.url, request(Cookie=cookie))) == 200
    for cookie in (f"xnightshelf_key={secret}", f"nightshelf_key={secret}x", "nightshelf_key=", "=", ";;"):
        assert status(exchange(up.url, request(Cookie=cookie))) == 401
    too_long = f"a={'x' * LONGEST_COOKIE}; nightshelf_key={secret}"
    assert status(exchange(up.url, request(Cookie=too_long))) == 401
