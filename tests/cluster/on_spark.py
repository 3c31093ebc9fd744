"""Runs preparation, association rules and ALS on the configured Spark: python on_spark.py ITERATIONS.

Prints the result of each as a line of JSON, and "again" before ALS is fitted a second time.
"""

import datetime as dt
import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp

from pipelines import columns as c
from pipelines.lake import engine, tables
from pipelines.prepare import features
from pipelines.train import als, association_rules
from pipelines.validate.outputs import with_pseudonyms
from serving.live.identity import Pseudonymiser

ORDERS = 4000
AS_OF = dt.date(2026, 11, 1)
RNG = np.random.default_rng(3)


def orders():
    """Returns order lines; in a quarter of the baskets p0 and p1 occur together."""
    products = RNG.integers(0, 40, (ORDERS, 3))
    products[: ORDERS // 4, :2] = 0, 1
    return pd.DataFrame(
        {
            c.ORDER_ID: np.repeat([f"o{number}" for number in range(ORDERS)], 3),
            c.ORDERED_AT: pd.Timestamp("2026-11-01T10:00:00Z"),
            c.CUSTOMER: np.repeat([f"+7 916 {number % 500:07}" for number in range(ORDERS)], 3),
            c.PRODUCT: [f"p{number}" for number in products.ravel()],
            c.QUANTITY: 1.0,
            c.GROUP: "here",
        }
    )


def report(**results):
    print(json.dumps(results), flush=True)


rows = with_pseudonyms(engine.table(pa.Table.from_pandas(orders())), Pseudonymiser("a key"))
tables.write_computed(tables.ORDERS, rows)
read = tables.scan(tables.ORDERS)
tables.write_computed(tables.INTERACTIONS, features.interactions(read, AS_OF))
tables.write_computed(tables.BASKETS, features.baskets(read, AS_OF))
interactions = tables.read(tables.INTERACTIONS)
letters = {len(customer) for customer in interactions[c.CUSTOMER].to_pylist()}
report(customers=len(interactions[c.CUSTOMER].unique()), letters=sorted(letters))

settings = association_rules.AssociationRuleSettings(
    support_per_product=0.01, min_count=5, min_confidence=0.2, sure=0.9
)
mined = association_rules.mine(tables.scan(tables.BASKETS), settings).to_pylist()
report(
    rules=sorted(
        [rule[c.ANTECEDENT], rule[c.CONSEQUENT]] for rule in mined if rule[c.SECOND_ANTECEDENT] is None
    )
)

strengths = sp.random(3000, 500, 0.02, "csr", rng=np.random.default_rng(5), dtype=np.float32)
als_settings = als.AlsSettings(rank=16, iterations=int(sys.argv[1]))
first = als.fit(strengths, als_settings, "spark")
report(rank=first.users.shape[1])
print("again", flush=True)
second = als.fit(strengths, als_settings, "spark")
difference = np.abs(first.users @ first.items.T - second.users @ second.items.T).max()
report(difference=float(difference), largest=float(np.abs(first.users @ first.items.T).max()))
