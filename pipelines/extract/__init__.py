"""Where orders come from."""

from pipelines.extract.files import Files
from pipelines.extract.shop_api import ShopApi
from pipelines.extract.source import Source
from pipelines.settings import SourceName, settings

__all__ = ["Source", "source"]


def source(name: SourceName, path: str, mapping: str) -> Source:
    """The source by that name; path and mapping are for `files` alone."""
    return ShopApi(settings()) if name == "shop-api" else Files(path, mapping)
