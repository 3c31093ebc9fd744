"""Who the customers are: the identity rule, guests, and ids that stand for nobody."""

import pandas as pd

from pipelines import columns as c
from pipelines.extract.inspect.choice import EMAIL, PHONE, Columns, ranked
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.values import EMAIL as ADDRESS
from pipelines.extract.inspect.values import PHONE as NUMBER
from serving.live.identity import is_nobody

NO_PERSON = 0.05  # the share of all orders that no customer of a shop with many customers has
MIN_CUSTOMERS = 50


def guess_people(draft: Draft, frame: "pd.DataFrame", columns: Columns) -> None:
    """Adds the customer's column, the identity rule and `guests` to the draft."""
    name = columns.chosen.get(c.CUSTOMER)
    if name is None:
        draft.put("guests", True, "no column holds customers: all orders are of guests")
        likely = f"; perhaps {', '.join(names)}" if (names := _may_be_customers(frame, columns)) else ""
        draft.undecided.append(
            "who the customers are: without `customer` under [columns] nobody gets recommendations of their"
            f" own{likely}"
        )
        return
    draft.put("columns.customer", name, _alternative(frame, columns, name))
    _guess_rule(draft, columns, name)
    orders = _orders(frame, columns, name)
    guess_nobody(draft, orders)
    guests = float(orders.fillna("").map(is_nobody).mean())
    if guests > 0:
        draft.put("guests", True, f"{_share(guests)} of the sampled orders have no customer")


def _may_be_customers(frame: "pd.DataFrame", columns: Columns) -> list[str]:
    """Returns columns with one value per order that comes again in other orders, as customers do."""
    if c.ORDER_ID not in columns.chosen:
        return []
    orders = frame.groupby(columns.chosen[c.ORDER_ID])
    count = orders.ngroups
    free = [seen for seen in columns.free() if seen.filled > 0.5 and not seen.is_written_time]
    ids = [
        seen.name
        for seen in free
        if 20 < seen.distinct < 0.9 * count and (not seen.is_number or seen.whole == 1)
    ]
    return [repr(name) for name in ids if (orders[name].nunique() <= 1).mean() > 0.99][:3]


def _share(share: float) -> str:
    return "less than 1%" if share < 0.01 else f"{share:.0%}"


def _orders(frame: "pd.DataFrame", columns: Columns, name: str) -> "pd.Series[str]":
    """Returns the customer of each order."""
    if c.ORDER_ID not in columns.chosen:
        return frame[name]
    return frame.drop_duplicates(columns.chosen[c.ORDER_ID])[name]


def _alternative(frame: "pd.DataFrame", columns: Columns, name: str) -> str:
    """Returns a comment on the other columns that could name the customer."""
    others = [
        seen.name
        for seen in columns.free()
        if columns.of_order(seen.name)
        and (
            seen.email > 0.6 or (seen.phone > 0.6 and ranked(columns, PHONE, lambda _, score: score, [seen]))
        )
    ]
    return f"or {', '.join(others)}: the shop's pages must name customers by the same" if others else ""


def _guess_rule(draft: Draft, columns: Columns, name: str) -> None:
    seen = columns.seen[name]
    is_phone = bool(ranked(columns, PHONE, lambda _, score: score, [seen]))
    if seen.email > 0.8:
        draft.put(
            "identity.kind", EMAIL, "spellings such as Anna@shop.example and anna@shop.example are one person"
        )
    elif is_phone and seen.phone > 0.8:
        draft.put("identity.kind", PHONE)
        draft.undecided.append(
            'the country of telephone numbers without a country code: set country = "DE" (two letters) under'
            " [identity]"
        )
    elif seen.email < 0.05 and not (is_phone and seen.phone > 0.05):
        draft.put("identity.kind", "id")
    else:
        draft.undecided.append(
            f"what the ids in {name!r} are: e-mail addresses, telephone numbers and other ids are mixed"
        )


def guess_nobody(draft: Draft, orders: "pd.Series[str]") -> None:
    """Adds the ids that have more of the orders than a person has, from the customer of each order."""
    known = orders[~orders.fillna("").map(is_nobody)].str.strip()
    if known.nunique() < MIN_CUSTOMERS:
        return
    shares = known.value_counts(normalize=True)
    many = shares[shares > max(NO_PERSON, 20 * shares.median())]
    plain = [text for text in many.index if not ADDRESS.match(text) and not NUMBER.match(text)]
    if plain:
        draft.put(
            "identity.nobody", plain, f"{many.iloc[0]:.0%} of the orders have one customer, as no person has"
        )
    elif len(many):
        draft.undecided.append(
            f"whether one customer has {many.iloc[0]:.0%} of the orders: if the id stands for nobody, list it"
            " as nobody under [identity]"
        )
