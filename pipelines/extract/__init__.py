"""Where orders come from."""

from pipelines.extract.files import FileSource
from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.source import Source
from pipelines.extract.sql import SqlSource
from pipelines.settings import SourceName, settings

__all__ = ["Source", "source"]


def source(name: SourceName, path: str, mapping: str) -> Source:
    """The source by that name; path is for `files` alone, mapping for `files` and `sql`."""
    if name == "shop-api":
        return ShopApiSource(settings())
    return FileSource(path, mapping) if name == "files" else SqlSource(settings(), mapping)
