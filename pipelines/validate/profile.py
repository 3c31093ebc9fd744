"""Profiles each day of the orders: the engine counts, pandas only joins the counts."""

import datetime as dt

import ibis
import pandas as pd
import pyarrow as pa
from ibis import Table, Value

from pipelines import columns as c
from pipelines.lake import engine, functions
from pipelines.lake.days import day_of
from pipelines.validate import waterfall as w
from pipelines.validate.row_checks import FATE, GOOD, RETURNED

HOURS = [f"hour_{hour:02}" for hour in range(24)]
RETURNS = "returns"
COPIES, NUMBER = "copies", "number"
CUSTOMERS, KNOWN = "customers", "known"
PAIRS, KNOWN_PAIRS = "pairs", "known_pairs"
SALES, TOP, TOP_PRODUCT, UNLISTED = "sales", "top", "top_product", "unlisted"
FIRST, NEW = "first", "new"
LAST_DAY = "last_day"
AT, CONTENT = "at", "content"
SUMS = [w.LINES, w.REVENUE, w.LOG_PIECES, w.GUESTS, w.PRICED, w.LOG_PRICE, w.MOVED]

SAMPLE = 10_000  # customers that a later run looks up to check that customer ids are unchanged


def profile(tallied: pd.DataFrame, orders: Table, listed: Table | None, until: dt.date) -> pd.DataFrame:
    """One row per calendar day, from that of the first order to `until`; counts of days without orders are 0.

    tallied: the table of `waterfall.tally`; orders: the table `orders`; listed: the catalogue's product ids,
    or None without a catalogue.

    Columns:
    - lines, revenue, log_pieces, guests, priced, log_price, moved: as in waterfall.tally
    - returns: returned lines
    - orders; hour_00 to hour_23: orders by UTC hour
    - copies: orders that equal an earlier one in customer, products, quantities and second of the day
    - number: the median order id, null if order ids aren't numbers
    - customers; known: those who bought on an earlier day
    - pairs: pairs of a known customer and a product; known_pairs: those bought on an earlier day, too
    - sales: pairs of an order and a product; unlisted: sales of products missing from the catalogue
    - top_product: the day's best seller; top: its sales
    - first: products sold for the first time; new: their sales
    """
    sold = engine.cached(_numbered(orders.filter(orders[c.QUANTITY] > 0)))
    parts = (_baskets(sold), _customers(sold), _products(sold, listed))
    days = pd.concat([_lines(tallied), *map(_by_day, parts)], axis=1)
    calendar = pd.date_range(days.index.min(), pd.Timestamp(until), name=c.DAY)
    counts = days.columns.difference([NUMBER, TOP_PRODUCT])
    return days.reindex(calendar).fillna(dict.fromkeys(counts, 0))


def sample(orders: Table) -> pa.Table:
    """Returns the 2 * SAMPLE customers whose pseudonyms sort first, with the day of their last order.

    The sample is random, because pseudonyms are hashes.
    """
    identified = orders.filter(orders[c.CUSTOMER].notnull() & (orders[c.QUANTITY] > 0))
    last = identified.group_by(c.CUSTOMER).agg({LAST_DAY: day_of(identified[c.ORDERED_AT]).max()})
    return last.order_by(c.CUSTOMER).limit(2 * SAMPLE).to_pyarrow()


def _lines(tallied: pd.DataFrame) -> pd.DataFrame:
    good = tallied[tallied[FATE].isin(GOOD)]
    returns = good[good[FATE] == RETURNED].groupby(c.DAY)[w.LINES].sum().rename(RETURNS)
    days = pd.concat([good.groupby(c.DAY)[SUMS].sum(), returns], axis=1)
    return days.set_index(pd.to_datetime(days.index))


def _by_day(counted: Table) -> pd.DataFrame:
    days: pd.DataFrame = counted.to_pandas()
    return days.set_index(pd.to_datetime(days.pop(c.DAY)))


def _numbered(sold: Table) -> Table:
    """Sales with hashes instead of texts that are only compared: numbers group and sort faster."""
    customer = functions.hash64(sold[c.CUSTOMER])
    return sold.select(
        {
            c.DAY: day_of(sold[c.ORDERED_AT]),
            AT: sold[c.ORDERED_AT],
            c.ORDER_ID: functions.hash64(sold[c.ORDER_ID]),
            NUMBER: sold[c.ORDER_ID].try_cast(float),
            c.CUSTOMER: sold[c.CUSTOMER].notnull().ifelse(customer, ibis.null(customer.type())),
            CONTENT: functions.hash64(sold[c.PRODUCT], sold[c.QUANTITY]),
            c.PRODUCT: sold[c.PRODUCT],
        }
    )


def _baskets(sold: Table) -> Table:
    orders = sold.group_by(c.ORDER_ID, c.CUSTOMER).agg(
        {AT: sold[AT].min(), CONTENT: functions.bit_xor(sold[CONTENT]), NUMBER: sold[NUMBER].min()}
    )
    second = functions.milliseconds(orders[AT]) // 1000 % 86_400
    equal_orders = ibis.window(group_by=[c.CUSTOMER, CONTENT, second], order_by=[AT, c.ORDER_ID])
    marked = orders.mutate(
        {
            "_copy": ibis.row_number().over(equal_orders) > 0,
            c.DAY: day_of(orders[AT]),
            "_hour": orders[AT].hour(),
        }
    )
    hours = {name: functions.count_if(marked._hour == hour) for hour, name in enumerate(HOURS)}
    return marked.group_by(c.DAY).agg(
        {
            c.ORDERS: marked.count(),
            COPIES: functions.count_if(marked._copy),
            NUMBER: functions.median(marked[NUMBER]),
            **hours,
        }
    )


def _customers(sold: Table) -> Table:
    identified = sold.filter(sold[c.CUSTOMER].notnull())
    pairs = identified.select(c.CUSTOMER, c.PRODUCT, c.DAY).distinct()
    first = pairs[c.DAY].min().over(group_by=c.CUSTOMER)
    pair_first = pairs[c.DAY].min().over(group_by=[c.CUSTOMER, c.PRODUCT])
    marked = pairs.mutate(_returning=first < pairs[c.DAY], _repeated=pair_first < pairs[c.DAY])
    visits = marked.group_by(c.CUSTOMER, c.DAY).agg(
        _returning=functions.count_if(marked._returning), _repeated=functions.count_if(marked._repeated)
    )
    return visits.group_by(c.DAY).agg(
        {
            CUSTOMERS: visits.count(),
            KNOWN: functions.count_if(visits._returning > 0),
            PAIRS: _whole_sum(visits._returning),
            KNOWN_PAIRS: _whole_sum(visits._repeated),
        }
    )


def _products(sold: Table, listed: Table | None) -> Table:
    sales = sold.group_by(c.PRODUCT, c.DAY).agg(_sales=sold.count())
    is_first = sales[c.DAY].min().over(group_by=c.PRODUCT) == sales[c.DAY]
    marked = sales.mutate(_first=is_first, _unlisted=ibis.literal(False))
    if listed is not None:
        known = listed.select(c.PRODUCT).distinct().mutate(_listed=True)
        joined = marked.left_join(known, c.PRODUCT)
        marked = joined.mutate(_unlisted=joined._listed.isnull()).select(*marked.columns)
    best = ibis.struct({"sales": marked._sales, "product": marked[c.PRODUCT]})
    return marked.group_by(c.DAY).agg(
        {
            SALES: _whole_sum(marked._sales),
            TOP: marked._sales.max(),
            TOP_PRODUCT: marked[c.PRODUCT].argmax(best),
            FIRST: functions.count_if(marked._first),
            NEW: _whole_sum(marked._sales, marked._first),
            UNLISTED: _whole_sum(marked._sales, marked._unlisted),
        }
    )


def _whole_sum(numbers: Value, where: Value | None = None) -> Value:
    return numbers.sum(where=where).cast("int64").fill_null(0)
