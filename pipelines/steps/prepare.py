"""Step `prepare`: makes interactions, baskets, regions and products from the checked orders."""

import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.lake import engine, tables
from pipelines.prepare import exclude, features
from pipelines.run import pins, tracking
from pipelines.run.night import Night


def run(night: Night) -> dict[str, int]:
    """Writes these tables and pins their versions for this run; returns the counts logged as metrics."""
    engine.fit_to_size(tables.dataset(tables.ORDERS).count_rows())
    orders = tables.scan(tables.ORDERS)
    tables.write_computed(tables.INTERACTIONS, features.interactions(orders, night.as_of))
    tables.write_computed(tables.BASKETS, features.baskets(orders, night.as_of))
    tables.write_computed(tables.GROUPS, features.groups(orders))
    sold = tables.distinct(tables.ORDERS, c.PRODUCT)
    products = exclude.mark_hidden(features.products(tables.read(tables.GOODS), sold), exclude.load())
    tables.write(tables.PRODUCTS, products)
    interactions = tables.dataset(tables.INTERACTIONS)
    tracking.log_table(night.run_id, "interactions", interactions, tables.current_path(tables.INTERACTIONS))
    pins.pin(night, tables.INTERACTIONS, tables.BASKETS, tables.GROUPS, tables.PRODUCTS)
    counts = {
        "interactions": interactions.count_rows(),
        "customers": len(tables.distinct(tables.INTERACTIONS, c.CUSTOMER)),
        "baskets": tables.dataset(tables.BASKETS).count_rows(),
        "catalogue": products.num_rows,
        "placeholders": pc.sum(products[c.PLACEHOLDER]).as_py(),
        "excluded": pc.sum(products[c.HIDDEN]).as_py(),
    }
    tracking.log(night.run_id, metrics=counts)
    return counts
