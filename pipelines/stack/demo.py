"""The demo shop under `nightshelf up`: what makes its first answer come soon."""

from pipelines.demo.api import MAX_PER_PAGE
from pipelines.settings import Settings


def settings_for(settings: Settings) -> Settings:
    """Returns the settings with the demo shop's largest pages, unless another shop or a page size is set."""
    if settings.is_demo_shop and "shop_page_size" not in settings.model_fields_set:
        return settings.model_copy(update={"shop_page_size": MAX_PER_PAGE})
    return settings


def first_sweep(settings: Settings) -> str | None:
    """Returns the sweep of the demo shop's first run; None if the settings name one or another shop."""
    is_demo = settings.source == "shop-api" and settings.is_demo_shop
    return "quick" if is_demo and "sweep" not in settings.model_fields_set else None
