"""Preparation, rules and ALS at the Spark of the settings, in a process of its own: python on_spark.py.

Prints what each came to as a line of JSON; before ALS is fitted a second time it says "again".
"""

import json
import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipelines import columns as c
from pipelines.lake import tables
from pipelines.lake.spark import session
from pipelines.prepare import features
from pipelines.train import als, association_rules
from pipelines.validate.outputs import pseudonyms

ORDERS = 4000
RNG = np.random.default_rng(3)


def orders():
    """Lines of baskets in which bread and butter meet."""
    picked = RNG.integers(0, 40, (ORDERS, 3))
    picked[: ORDERS // 4, :2] = 0, 1
    return pd.DataFrame(
        {
            c.ORDER_ID: np.repeat([f"o{one}" for one in range(ORDERS)], 3),
            c.ORDERED_AT: pd.Timestamp("2026-11-01T10:00:00"),
            c.CUSTOMER: np.repeat([f"+7 916 {one % 500:07}" for one in range(ORDERS)], 3),
            c.PRODUCT: [f"p{one}" for one in picked.ravel()],
            c.QUANTITY: 1.0,
            c.GROUP: "here",
        }
    )


def tell(**found):
    print(json.dumps(found), flush=True)


spark = session()
rows = spark.createDataFrame(orders()).withColumn(c.CUSTOMER, pseudonyms(c.CUSTOMER, "a key"))
tables.write_spark(tables.ORDERS, rows)
read = tables.read_spark(spark, tables.ORDERS)
tables.write_spark(tables.INTERACTIONS, features.interactions(read))
tables.write_spark(tables.BASKETS, features.baskets(read))
found = tables.read(tables.INTERACTIONS)
letters = {len(one) for one in found[c.CUSTOMER].to_pylist()}
tell(customers=len(found[c.CUSTOMER].unique()), letters=sorted(letters))

settings = association_rules.AssociationRuleSettings(
    support_per_product=0.01, min_count=5, min_confidence=0.2, sure=0.9
)
mined = association_rules.mine(tables.read_spark(spark, tables.BASKETS), settings).to_pylist()
tell(
    rules=sorted([one[c.ANTECEDENT], one[c.CONSEQUENT]] for one in mined if one[c.SECOND_ANTECEDENT] is None)
)

strengths = sp.random(3000, 500, 0.02, "csr", rng=np.random.default_rng(5), dtype=np.float32)
wanted = als.AlsSettings(rank=16, iterations=int(sys.argv[1]))
first = als.fit(strengths, wanted, "spark")
tell(rank=first.users.shape[1])
print("again", flush=True)
second = als.fit(strengths, wanted, "spark")
apart = np.abs(first.users @ first.items.T - second.users @ second.items.T).max()
tell(apart=float(apart), largest=float(np.abs(first.users @ first.items.T).max()))
