"""Sources of orders: the shop's API, files and databases."""

from pipelines.choices import SourceName
from pipelines.extract.files import FileSource
from pipelines.extract.mongo import MongoSource
from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.source import Source
from pipelines.extract.sql import SqlSource
from pipelines.settings import settings

__all__ = ["Source", "source"]


def source(name: SourceName, path: str, mapping: str) -> Source:
    """Returns the source of this name; `files` reads `path`, all others but shop-api use `mapping`."""
    if name == "shop-api":
        return ShopApiSource(settings())
    if name == "mongo":
        return MongoSource(settings(), mapping)
    return FileSource(path, mapping) if name == "files" else SqlSource(settings(), mapping)
