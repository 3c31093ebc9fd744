"""The versions of an order: several pulls, pages and files may hold it, and one version counts.

What the order itself says decides first: the version that the shop changed last (`changed_at`). The pull and
the page decide among versions without such a time, or with the same one.
"""

import ibis
from ibis import Table, Value, _

from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.lake import functions

OFFSET = r"\d:\d\d.*(Z|UTC|[+-]\d\d(:?\d\d)?)$"  # only after a time of day: a date may end in -31
PAGE_BITS = 22  # enough for four million pages
SAME_ORDER_DAYS = 2  # the most days between versions of an order without a customer
NOT_IN_AN_ID = r"[^\p{L}\p{N}]"  # what spellings of one customer id may differ in

SHARED_ID = "shared_id"  # whether different customers have an order of this id
IS_NOBODY = "_is_nobody"  # whether a line's customer id stands for nobody
VERSION, CHANGED, PART = "_version", "_changed", "_part"


def newest(raw: Table, dialect: Dialect) -> Table:
    """Returns the lines of each order's newest version, which is complete and replaces all earlier ones.

    Lines without an order id belong to the newest version of their file instead. If the lines of an order may
    lie in several files, each file's part of the order has its own versions. The column `shared_id` is added:
    whether the versions of the line's order belong to different customers.

    raw: lines with the column `_is_nobody`.
    """
    received = functions.milliseconds(raw[c.EXTRACTED_AT])
    lines = raw.mutate(
        {
            VERSION: received * 2**PAGE_BITS + raw[c.PAGE],
            CHANGED: _changed(raw, received, dialect.timezone),
            PART: raw[c.SOURCE] if dialect.split_orders else ibis.literal(""),
        }
    )
    orders = _with_versions(lines)
    files = lines.group_by(_file=_[c.SOURCE]).agg(_read=_[VERSION].max())
    joined = lines.left_join(orders, [c.ORDER_ID, PART]).left_join(files, _[c.SOURCE] == files._file)
    last = (
        joined[c.ORDER_ID]
        .isnull()
        .ifelse(
            joined[VERSION] == joined._read, joined._newest.isnull() | (joined[VERSION] == joined._newest)
        )
    )
    shared = joined.filter(last).mutate({SHARED_ID: _[SHARED_ID].fill_null(False)})
    return shared.select(*raw.columns, SHARED_ID)


def time(text: Value, timezone: str) -> Value:
    """Returns the times of a column of texts; those without an offset are times of the time zone."""
    parsed = functions.instant(text)
    return text.re_search(OFFSET).ifelse(parsed, functions.in_utc(parsed, timezone))


def _changed(raw: Table, received: Value, timezone: str) -> Value:
    """Returns when the shop changed a line's order, in milliseconds, 0 if unknown.

    No later than the line was received: a wrong clock must not outvote all corrections.
    """
    changed = functions.milliseconds(time(raw[c.CHANGED_AT], timezone))
    return (changed > received).ifelse(received, changed).fill_null(0)


def _with_versions(lines: Table) -> Table:
    """Returns the newest version of each order with several versions or customers, and `shared_id`.

    If the lines of an order may lie in several files, a row per order and file.
    """
    several = (
        lines.mutate(_customer=functions.hash64(lines[c.CUSTOMER]))
        .filter(_[c.ORDER_ID].notnull())
        .group_by(c.ORDER_ID, PART)
        .agg(
            _latest=_[CHANGED].max(),
            _versions=_[VERSION].min() != _[VERSION].max(),
            _customers=_._customer.min() != _._customer.max(),
        )
        .filter(_._versions | _._customers)
        .select(c.ORDER_ID, PART, "_latest")
    )
    joined = lines.inner_join(several, [c.ORDER_ID, PART])
    return joined.group_by(c.ORDER_ID, PART).agg(
        _newest=_[VERSION].max(where=_[CHANGED] == _._latest), **{SHARED_ID: _shared(joined)}
    )


def _shared(lines: Table) -> Value:
    """Returns whether the lines of an order name different customers, or without customers days far apart."""
    spelling = lines[c.CUSTOMER].lower().re_replace(NOT_IN_AN_ID, "")
    is_somebody = (spelling != "") & ~lines[IS_NOBODY]
    customer = functions.hash64(spelling)
    is_sale = ~lines[c.QUANTITY].startswith("-").fill_null(False)
    days = lines[c.ORDERED_AT].substr(0, c.ISO_DAY_LENGTH).try_cast("date")
    first, last = days.min(where=is_sale), days.max(where=is_sale)
    apart = last.delta(first, unit="day") > SAME_ORDER_DAYS
    several = customer.min(where=is_somebody) != customer.max(where=is_somebody)
    # A null on either side says nothing.
    return ibis.coalesce(several, apart, False)
