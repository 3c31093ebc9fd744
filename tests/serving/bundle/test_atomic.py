"""Files are replaced whole, with their permissions, and leave nothing behind on an error."""

from pathlib import Path

import pytest

from serving.bundle import atomic

pytestmark = pytest.mark.fast


def test_replaces_the_content_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "served"
    for text in ("first", "чай"):
        atomic.write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_creates_the_file_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch(mode=0o644)
    atomic.write_text(path, "secret", mode=0o600)
    assert oct(path.stat().st_mode & 0o777) == oct(0o600)


def test_keeps_the_old_content_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "served"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic.replacing(path) as file:
        file.write(b"half of the n")
        file.write(b"x" * (1 // 0))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
