"""Row checks: they assign a fate to every line of raw/orders, in one pass.

- used: a sale
- returned: a return
- left_out_<reason>: one of the mapping's rules leaves the line out
- one of DROPPED: dropped, without being an error
- otherwise the name of the first row check that the line fails; the line is quarantined
"""

import datetime as dt
import math
import re

import ibis
from ibis import Table, Value, _

from expectations.thresholds import RowBounds
from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.lake import engine, functions
from pipelines.lake.days import day_of
from pipelines.settings import settings
from pipelines.validate import versions
from pipelines.validate.quarantine import CONTENT, POSITION, USABLE
from pipelines.validate.versions import IS_NOBODY
from serving.live import identity
from serving.live.nobody import PLACEHOLDER

USED = "used"
RETURNED = "returned"
GOOD = (USED, RETURNED)
LATER = "later_than_the_night"
NOT_A_PRODUCT = "not_a_product"
EMPTY_ORDER = "empty_order"
FREE = "free"
REPORTED_AND_ORDERED = "told_and_ordered"
ACCEPTED_AS_LOST = "accepted_as_lost"  # released from a row check, but lacking what an order line needs
DROPPED = (LATER, NOT_A_PRODUCT, EMPTY_ORDER, FREE, REPORTED_AND_ORDERED, ACCEPTED_AS_LOST)
LEFT_OUT = "left_out_"  # how the fate of a line that the mapping leaves out begins

UNREADABLE = "unreadable_line"
NO_CUSTOMER = "no_customer"

CLOCK_TOLERANCE = dt.timedelta(days=1)  # the most by which a shop's local time is ahead of UTC

FATE = "fate"
TIME, UNITS, PAID, TYPICAL = "time", "units", "paid", "typical"
RELEASED = "released"
IS_PRODUCT, IS_PLACEHOLDER = "_is_product", "_is_placeholder"
REASON_LENGTH = 41  # of a left-out line's reason


def is_dropped(fate: str) -> bool:
    """Returns whether lines of this fate are left out of training without being an error."""
    return fate in DROPPED or fate.startswith(LEFT_OUT)


def is_quarantined(fate: Value) -> Value:
    """Returns whether a column of fates names a row check that the line failed."""
    return ~(fate.isin([*GOOD, *DROPPED]) | fate.startswith(LEFT_OUT))


def check(
    raw: Table, dialect: Dialect, as_of: dt.date, bounds: RowBounds, releases: Table | None = None
) -> Table:
    """Returns the distinct lines of each order's newest version, with their time, units, price paid and fate.

    The price paid is null unless it is a number of at least 0. The column `typical` is the median price of
    the line's product, null if fewer than `price_lines` lines have a price. The column `shared_id` is that of
    `versions.newest`.

    releases: lines for which a person released a row check, with the columns of the table RELEASES.
    """
    known = _with_products(_with_customers(raw, dialect), dialect, bounds)
    lines = _distinct(versions.newest(known, dialect), dialect)
    parsed = lines.mutate(
        {
            TIME: versions.time(lines[c.ORDERED_AT], dialect.timezone),
            UNITS: functions.number(lines[c.QUANTITY]),
            PAID: _paid(lines),
        }
    )
    parsed = (
        parsed.mutate({RELEASED: ibis.literal([], type="array<string>")})
        if releases is None
        else _released(parsed, releases)
    )
    with_fates = parsed.mutate({FATE: _fate(parsed, dialect, as_of, bounds)})
    somebody = with_fates[IS_NOBODY].ifelse(ibis.null("string"), with_fates[c.CUSTOMER])
    return with_fates.mutate({c.CUSTOMER: somebody}).drop(RELEASED, IS_NOBODY, IS_PLACEHOLDER, IS_PRODUCT)


def _with_customers(raw: Table, dialect: Dialect) -> Table:
    """Adds whether each line's customer id stands for nobody, and whether it is a placeholder."""
    rule, placeholder = dialect.identity, re.compile(PLACEHOLDER)

    def kind(customer: str) -> str:
        if not identity.is_nobody(customer, rule):
            return "somebody"
        return "placeholder" if placeholder.search(customer) else "nobody"

    ids = raw.select(c.CUSTOMER).distinct().filter(_[c.CUSTOMER].notnull())
    kinds = engine.cached(ids.mutate(_kind=functions.of_text(kind, ids[c.CUSTOMER])))
    joined = raw.left_join(kinds, c.CUSTOMER)
    return joined.select(
        *raw.columns,
        **{
            IS_NOBODY: joined._kind.fill_null("nobody") != "somebody",
            IS_PLACEHOLDER: joined._kind == "placeholder",
        },
    )


def _with_products(lines: Table, dialect: Dialect, bounds: RowBounds) -> Table:
    """Adds each line's typical price, and whether its product id is one of a product."""
    not_products = re.compile(dialect.not_products or "$^")

    def kind(product: str) -> str:
        return "other" if not_products.search(product) else "product"

    ids = lines.select(c.PRODUCT).distinct().filter(_[c.PRODUCT].notnull())
    kinds = engine.cached(ids.mutate(_kind=functions.of_text(kind, ids[c.PRODUCT])))
    joined = lines.left_join(kinds, c.PRODUCT).left_join(typical_prices(lines, bounds), c.PRODUCT)
    return joined.select(
        *lines.columns, TYPICAL, **{IS_PRODUCT: joined._kind.fill_null("product") == "product"}
    )


def _distinct(lines: Table, dialect: Dialect) -> Table:
    """Each line once; an unreadable line is identified by its file and line number.

    A line's number is its number within a file, so that it says little if an order lies in several files.
    """
    is_numbered = lines[c.FAULT].notnull() | (dialect.split_orders and c.LINE in dialect.row_key)
    position = lines[c.SOURCE] + " " + lines[c.LINE].cast(str)
    unreadable = is_numbered.ifelse(position, ibis.null("string"))
    same = ibis.window(
        group_by=[c.ORDER_ID, *(name for name in dialect.row_key if name != c.ORDER_ID), unreadable],
        order_by=[c.SOURCE, c.PAGE, c.LINE],
    )
    return lines.mutate(_copy=ibis.row_number().over(same)).filter(_._copy == 0).drop("_copy")


def typical_prices(raw: Table, bounds: RowBounds) -> Table:
    """Returns the median price of each product that has at least `price_lines` lines with a price."""
    priced = raw.mutate(_paid=_paid(raw)).filter((_._paid > 0) & _[c.LEFT_OUT].isnull())
    medians = priced.group_by(c.PRODUCT).agg({TYPICAL: functions.median(priced._paid), "_lines": _.count()})
    return medians.filter(_._lines >= bounds.price_lines.value).drop("_lines")


def _paid(lines: Table) -> Value:
    price = functions.number(lines[c.UNIT_PRICE])
    return ((price >= 0) & (price < math.inf)).ifelse(price, ibis.null(float))  # NaN is greater than infinity


def _released(parsed: Table, releases: Table) -> Table:
    content = [*CONTENT, *POSITION]
    checks = releases.group_by({f"_{name}": releases[name] for name in content}).agg(
        {RELEASED: _[c.RULE].collect(distinct=True)}
    )
    lacks_order = parsed[c.ORDER_ID].isnull()
    own = {name: parsed[name] for name in CONTENT}
    own |= {name: lacks_order.ifelse(parsed[name], ibis.null(parsed[name].type())) for name in POSITION}
    same = [own[name].identical_to(checks[f"_{name}"]) for name in content]
    joined = parsed.left_join(checks, same)
    none = ibis.literal([], type="array<string>")
    return joined.select(*parsed.columns, **{RELEASED: joined[RELEASED].fill_null(none)})


def _is_later(lines: Table, as_of: dt.date) -> Value:
    """Returns whether each line is of a day after the night's.

    Without NIGHTSHELF_TIMEZONE the last evening of a shop west of Greenwich is the next day, in UTC, but it
    belongs to the night: the day as written decides.
    """
    later = day_of(lines[TIME]) > ibis.literal(as_of)
    if settings().timezone != "UTC":
        return later
    return later & (lines[c.ORDERED_AT].strip().substr(0, c.ISO_DAY_LENGTH) > as_of.isoformat())


def _fate(lines: Table, dialect: Dialect, as_of: dt.date, bounds: RowBounds) -> Value:
    unreadable = {UNREADABLE: lines[c.FAULT].notnull()}
    blank = {name: _blank(lines[name]) for name in (c.ORDER_ID, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)}
    units, time = lines[UNITS], lines[TIME]
    others = {
        "no_order": blank[c.ORDER_ID],
        EMPTY_ORDER: blank[c.PRODUCT] & blank[c.QUANTITY] & blank[c.UNIT_PRICE],
        "no_product": blank[c.PRODUCT],
        "unparsable_time": time.isnull(),
        "future_time": time > lines[c.EXTRACTED_AT] + ibis.interval(CLOCK_TOLERANCE),
        LATER: _is_later(lines, as_of),
        NOT_A_PRODUCT: ~lines[IS_PRODUCT],
        "bad_quantity": units.isnull() | units.isnan() | (units == 0),
        "huge_quantity": units.abs() > bounds.largest_quantity.value,
        FREE: _free(lines) & (dialect.free_lines == "leave_out"),
        "bad_price": _bad_price(lines) & dialect.has_prices,
        "price_outlier": _price_outlier(lines, bounds.price_factor.value),
        "placeholder_customer": lines[IS_PLACEHOLDER] & (not dialect.guests),
        NO_CUSTOMER: lines[IS_NOBODY] & ~lines[IS_PLACEHOLDER].fill_null(False) & (not dialect.guests),
        RETURNED: units < 0,
    }
    left_out = LEFT_OUT + lines[c.LEFT_OUT].substr(0, REASON_LENGTH)
    released = lines[RELEASED]
    outcomes = [_outcome(name, failed, released) for name, failed in (unreadable | others).items()]
    # An unreadable line has no columns, so that a rule of the mapping would leave it out by mistake.
    return ibis.coalesce(outcomes[0], left_out, *outcomes[1:], USED)


def _outcome(name: str, failed: Value, released: Value) -> Value:
    """Returns the fate of the lines that fail a check, null for the others and for lines to use anyway."""
    none = ibis.null("string")
    if name in DROPPED or name == RETURNED:
        return failed.ifelse(name, none)
    fate = none if name in USABLE else ACCEPTED_AS_LOST
    return failed.ifelse(released.contains(name).ifelse(fate, name), none)


def _blank(column: Value) -> Value:
    return column.strip().fill_null("") == ""


def _free(lines: Table) -> Value:
    """Returns whether a line has the price 0; a customer's return at that price still counts as a return."""
    return (lines[PAID] == 0) & ((lines[UNITS] > 0) | _blank(lines[c.CUSTOMER]))


def _bad_price(lines: Table) -> Value:
    """Returns whether a line lacks a valid price; a return needs none."""
    return lines[PAID].isnull() & ~(_blank(lines[c.UNIT_PRICE]) & (lines[UNITS] < 0))


def _price_outlier(lines: Table, factor: float) -> Value:
    paid, typical = lines[PAID], lines[TYPICAL]
    return ((paid > typical * factor) | (paid * factor < typical)).fill_null(False) & (paid > 0)
