"""Step `register`: fits the challenger to all orders and registers its bundle as a new version."""

import tempfile
from dataclasses import replace
from pathlib import Path

from pipelines.demo.planted import tastes
from pipelines.evaluate import night_data
from pipelines.gate import challenger, shoppers
from pipelines.lake import tables
from pipelines.registry import versions
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.settings import customer_key, settings
from serving.bundle import files
from serving.http.overview import SHOPPERS
from serving.live.identity import IdentityRule, rule_of
from serving.live.registry import BUNDLE


def run(night: Night) -> dict[str, str]:
    """Returns the new version's number."""
    known, products, cut = night_data.load(night)
    chosen = challenger.chosen(night)
    bundle = challenger.fit(night, known.until(cut.test), products, chosen)
    measures = tables.read(pins.own_table(night, tables.EVALUATION))
    planted = _planted(night, rule_of(bundle.manifest))
    examples = {SHOPPERS: shoppers.example_shoppers(measures, known, products, cut, planted)}
    bundle = replace(bundle, manifest=bundle.manifest | examples)
    with tempfile.TemporaryDirectory() as temporary:
        folder = files.save(bundle, Path(temporary) / BUNDLE.name)
        version = versions.register(folder, night.run_id, challenger.tags(night, chosen, bundle))
    tracking.log(night.run_id, tags={tracking.VERSION: version})
    return {"version": version}


def _planted(night: Night, rule: IdentityRule) -> dict[str, list[str]]:
    """Returns the tastes that the demo shop gave its customers, by pseudonym; {} for any other shop."""
    return tastes(customer_key(), rule) if night.source == "shop-api" and settings().is_demo_shop else {}
