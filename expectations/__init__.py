"""What Great Expectations checks of every night."""

from pathlib import Path


def data_docs(home: Path) -> Path:
    """Where the pages of a home begin, once a night was validated."""
    return home / "expectations" / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"
