"""Pulls from a shop by the shipped profile, and the orders in raw/ that are learned from."""

from dataclasses import dataclass

from faulty_proxy import FaultyProxy

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import pulls, raw, versions
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import TransientError

SETTINGS = {"SHOP_BACKOFF": 0.01, "SHOP_RATE": 1000, "SHOP_TRIES": 2, "SHOP_PAGE_SIZE": 20}
NAMES = [c.ORDER_ID, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.LEFT_OUT]


@dataclass
class ShopPulls:
    """Pulls from one shop, through a proxy."""

    url: str
    proxy: FaultyProxy
    failed: int = 0  # pulls that gave up for the proxy's faults

    def set(self, monkeypatch, profile, **given):
        """Sets the settings of the source for the present home."""
        own = {"SHOP_URL": self.url, "SHOP_PROFILE": profile, "SHOP_TIMEOUT": self.proxy.timeout}
        for name, value in (SETTINGS | own | given).items():
            monkeypatch.setenv(f"NIGHTSHELF_{name}", str(value))
        settings.cache_clear()

    def pull(self, as_of, full=False):
        """Pulls; if the proxy's faults end the pull, the next one goes on without faults."""
        calm = self.proxy.calm
        try:
            return self._pull(as_of, full)
        except TransientError:
            self.failed += 1
            self.proxy.calm = True
            return self._pull(as_of, full)
        finally:
            self.proxy.calm = calm

    @staticmethod
    def _pull(as_of, full):
        return pulls.pull(extract.source("shop-api", "", ""), as_of, full, silent)

    def lines(self):
        """Returns the lines of each order's newest version in raw/: those left out and all others."""
        tables = raw.pulls(extract.source("shop-api", "", "").name)
        lines = versions.newest_versions(
            raw.read(tables, [*NAMES, c.LINE, c.SOURCE, *raw.VERSION]).to_pandas()
        )
        return lines.drop_duplicates([c.ORDER_ID, c.LINE])[NAMES]

    def rows(self):
        """Returns what is learned, in ascending order: each product of an order that the customer kept."""
        lines = self.lines()
        lines = lines[lines[c.LEFT_OUT].isna()]
        lines = lines.astype({c.QUANTITY: float, c.UNIT_PRICE: float})
        keys = [c.ORDER_ID, c.CUSTOMER, c.PRODUCT]
        kept = lines.groupby(keys).agg({c.QUANTITY: "sum", c.UNIT_PRICE: "first"}).reset_index()
        return sorted(tuple(row) for row in kept[kept[c.QUANTITY] != 0].itertuples(index=False))

    def left_out(self):
        """Returns the number of lines left out, by reason."""
        return self.lines()[c.LEFT_OUT].value_counts().to_dict()
