"""The demo shop under `nightshelf up`: what makes its first answer come soon."""

from pipelines.demo.api import MAX_PER_PAGE
from pipelines.settings import Settings
from pipelines.stack.board import console
from pipelines.stack.service import is_ready


def settings_for(settings: Settings) -> Settings:
    """Returns the settings with the demo shop's largest pages, unless another shop or a page size is set."""
    if settings.is_demo_shop and "shop_page_size" not in settings.model_fields_set:
        return settings.model_copy(update={"shop_page_size": MAX_PER_PAGE})
    return settings


def first_sweep(settings: Settings) -> str | None:
    """Returns the sweep of the demo shop's first nightly run, and says so; None for that of the settings."""
    is_set = "sweep" in settings.model_fields_set
    if is_set or settings.source != "shop-api" or not settings.is_demo_shop or is_ready(settings):
        return None
    console.print(
        "The first nightly run uses the sweep `quick`; later runs use the sweep `default`.", markup=False
    )
    return "quick"
