"""Pulls that something happens to before they stage a page."""

import contextlib

import pytest

from pipelines.extract.staging import Staging
from serving.errors import TransientError


@contextlib.contextmanager
def before_page(monkeypatch, page, happens):
    """Calls `happens` before a page is written to staging, as long as the context lasts."""
    write = Staging.write

    def interrupted(self, number, *given):
        if number == page:
            happens()
        write(self, number, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "write", interrupted)
        yield


def pull_killed(shop, monkeypatch, page):
    """Pulls until the run is killed before it stages a page, if it has as many."""

    def kill():
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt), before_page(monkeypatch, page, kill):
        shop.pull()


def fails_while_the_server_is_down(shop, monkeypatch, page, kill, message):
    """Asserts that a pull fails for now when the server is killed before a page is staged, and another
    one as long as the server is down.
    """
    with before_page(monkeypatch, page, kill), pytest.raises(TransientError, match=message):
        shop.pull()
    with pytest.raises(TransientError, match=message):
        shop.pull()
