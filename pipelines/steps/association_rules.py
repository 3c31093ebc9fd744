"""Step `association_rules`: mines which products are bought together."""

from pipelines import columns as c
from pipelines.lake import engine, tables
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.train import association_rules


def run(night: Night) -> dict[str, int]:
    """Returns how many association rules were mined, and how many baskets were too large to mine."""
    baskets = engine.scan([pins.path(night, tables.BASKETS)])
    rules = association_rules.mine(baskets, association_rules.load())
    tables.write(tables.RULES, rules)
    pins.pin(night, tables.RULES)
    of_two_products = rules.num_rows - rules[c.SECOND_ANTECEDENT].null_count
    counts = {"rules": rules.num_rows, "of_two_products": of_two_products}
    counts |= association_rules.count_large_baskets(baskets)
    tracking.log(night.run_id, metrics=counts)
    return counts
