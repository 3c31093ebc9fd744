"""The tables made from checked lines; they hold pseudonyms instead of the shop's own customer ids."""

import ibis
from ibis import Table, _

from pipelines import columns as c
from pipelines.extract.events import SOURCE_NAME as EVENTS
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.lake import functions
from pipelines.validate.row_checks import FATE, GOOD, PAID, TIME, TYPICAL, UNITS, USED, is_quarantined
from pipelines.validate.versions import SHARED_ID
from serving.live.identity import PSEUDONYM_PREFIX, Pseudonymiser

TYPES = {
    c.ORDER_ID: "string",
    c.ORDERED_AT: "timestamp",
    c.CUSTOMER: "string",
    c.PRODUCT: "string",
    c.QUANTITY: "float64",
    c.UNIT_PRICE: "float64",
    c.GROUP: "string",
}  # of the table `orders`


def schema_differences(orders: Table) -> list[str]:
    """Returns the columns in which a table differs from `orders`: missing, unknown or of another type."""
    types = {(name, str(kind).partition("(")[0]) for name, kind in orders.schema().items()}
    return sorted({name for name, _ in types ^ set(TYPES.items())})


def quarantine(checked: Table, run: str, identify: Pseudonymiser) -> Table:
    """Returns the lines that fail a row check, with the check's name, the run and the pseudonym.

    All else is as received. The shop's own customer id is only in raw/, in the row of this order and line.
    """
    failed = checked.filter(is_quarantined(checked[FATE])).drop(TIME, UNITS, PAID, TYPICAL, SHARED_ID)
    pseudonymous = with_pseudonyms(failed, identify)
    return pseudonymous.rename({c.RULE: FATE}).mutate({c.RUN: ibis.literal(run)})


def orders(checked: Table, identify: Pseudonymiser) -> Table:
    """Returns the table `orders`: one row per order and product, customers as pseudonyms, times in UTC.

    The region (column `group`) is the customer's: it is null for orders of anonymous customers, and if the
    source's mapping has no such column.
    """
    good = checked.filter(checked[FATE].isin(GOOD))
    # An order of several customers is the first one's: any rule would do that both engines follow.
    group = good[c.GROUP].fill_null("")  # DuckDB would pass over a customer's lines without one
    first = ibis.struct({c.CUSTOMER: good[c.CUSTOMER], c.GROUP: group})
    lines = good.group_by(c.ORDER_ID, c.PRODUCT).agg(
        {
            c.ORDERED_AT: good[TIME].min(),
            c.CUSTOMER: good[c.CUSTOMER].min(),
            c.GROUP: group.argmin(first, where=good[c.CUSTOMER].notnull()),
            c.QUANTITY: good[UNITS].sum(),
            c.UNIT_PRICE: good[PAID].mean(),
        }
    )
    stripped = lines.mutate({c.GROUP: lines[c.GROUP].strip().nullif("")})
    return with_pseudonyms(stripped, identify).select(*TYPES)


def goods(checked: Table) -> Table:
    """Returns the products as their last sale describes them, in the columns of the catalogue."""
    # Purchases reported to the service hold no names.
    sold = checked.filter((checked[FATE] == USED) & (checked[c.SOURCE] != EVENTS))
    weight = sold[c.WEIGHT].try_cast(float)
    texts = {name: sold[name] for name in (c.NAME, c.CATEGORY, c.BRAND)}
    order = ibis.struct({name: sold[name] for name in (TIME, c.ORDER_ID, c.LINE)})
    goods = sold.group_by(c.PRODUCT).agg(
        {
            "_last": ibis.struct({**texts, c.WEIGHT: weight}).argmax(order),
            c.PRICE: sold[PAID].argmax(order, where=sold[PAID] > 0),  # a gift says nothing about the price
        }
    )
    described = {name: goods._last[name] for name in (*texts, c.WEIGHT)}
    return goods.mutate(**described, **{c.IN_STOCK: True}).select(*RAW_PRODUCTS.names)


def with_shop_ids(lines: Table) -> Table:
    """Returns a shop's lines for `Pseudonymiser.of_row`, which takes none of their ids for a pseudonym."""
    customer = lines[c.CUSTOMER]
    is_like_one = customer.startswith(PSEUDONYM_PREFIX)
    return lines.mutate({c.CUSTOMER: is_like_one.ifelse(PSEUDONYM_PREFIX + customer, customer)})


def with_pseudonyms(rows: Table, identify: Pseudonymiser) -> Table:
    """Returns the rows with pseudonyms in place of the shop's own customer ids."""
    ids = rows.select(c.CUSTOMER).distinct().filter(_[c.CUSTOMER].notnull())
    known = ids.mutate(_pseudonym=functions.of_text(identify.of_row, ids[c.CUSTOMER]))
    joined = rows.left_join(known, c.CUSTOMER)
    return joined.mutate({c.CUSTOMER: joined._pseudonym}).select(*rows.columns)
