"""The small bundle with example shoppers in its manifest, as a nightly run writes them."""

from dataclasses import replace

import bundles

from serving.bundle.format import Bundle
from serving.live.identity import pseudonym

PAST = {"units": 2.5, "last_day": "2026-10-20", "planted": ["Coffee (espresso beans)"]}
# Anna was recommended two coffees and a tea; afterwards she bought one of the coffees and another tea.
SHOPPERS = {
    "cut": "2026-10-23",
    "until": "2026-11-20",
    "popular": ["tea-1", "tea-2", "coffee-1"],
    "shoppers": [
        {"kind": "loyal", "customer": pseudonym(bundles.ANNA, bundles.KEY), "days": 4, "category": "coffee",
         "share": 0.75, "recommended": ["coffee-1", "coffee-2", "tea-1"], "bought": ["coffee-2", "tea-2"],
         **PAST},
        {"kind": "once", "customer": pseudonym(bundles.BORIS, bundles.KEY), "days": 1, "category": None,
         "share": 0.0, "recommended": ["tea-1"], "bought": ["tea-3"], **PAST},
    ],
}  # fmt: skip


def bundle_with_shoppers() -> Bundle:
    """Returns the small bundle with SHOPPERS in its manifest."""
    bundle = bundles.small()
    return replace(bundle, manifest=bundle.manifest | {"shoppers": SHOPPERS})
