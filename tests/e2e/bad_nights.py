"""Faulty shop data that validation has to stop: nightly runs that must not reach training."""

import datetime as dt
import hashlib
from dataclasses import replace

from nights import (
    LAST,
    busy,
    digits,
    each,
    each_line,
    goods,
    hour,
    keep,
    known,
    moment,
    new_customers,
    on_last_day,
    on_visible_days,
    put,
    renamed,
    shift_time,
    times,
    to,
    with_new_ids,
)


def half_a_day_twice(rng, orders):
    return orders + with_new_ids(orders[: max(100, len(orders) // 2)], orders)


def delivered_again(days_before):
    """The orders of an earlier day with the date of the run's day, instead of that day's orders."""

    def case(rng, world):
        earlier = world.days[world.as_of - dt.timedelta(days=days_before)]
        moved_orders = each(shift_time(days=days_before))(rng, earlier)
        return world.with_days({world.as_of: with_new_ids(moved_orders, world.orders)})

    return case


def yesterday_twice(rng, world):
    earlier = world.days[world.as_of - dt.timedelta(days=1)]
    return world.with_days({world.as_of: world.orders + with_new_ids(earlier, world.orders)})


def shifted_products(rng, world):
    """Every product id is replaced by the next one in the catalogue."""
    ids = [product["id"] for product in world.goods]
    following = dict(zip(ids, ids[1:] + ids[:1], strict=True))
    return on_last_day(each_line(to("goodsId", lambda id_: following.get(id_, id_))))(rng, world)


def shuffled_products(rng, orders):
    """Every line keeps its quantity and its price, and gets the product of another line."""
    ids = iter(rng.permutation([line["goodsId"] for order in orders for line in order["basket"]]).tolist())
    return each_line(lambda line: line | {"goodsId": next(ids)})(rng, orders)


def shuffled_phones(rng, orders):
    return _with_phones(orders, [orders[index]["clientTel"] for index in rng.permutation(len(orders))])


def phones_one_row_off(rng, orders):
    phones = [order["clientTel"] for order in orders]
    return _with_phones(orders, phones[1:] + phones[:1])


def _with_phones(orders, phones):
    return [order | {"clientTel": phone} for order, phone in zip(orders, phones, strict=True)]


def catch_all(rng, orders):
    """Every basket also contains the same product."""
    return [
        order | {"basket": [*order["basket"], {"goodsId": "10007", "quantity": 1, "price": 1.0}]}
        for order in orders
    ]


def baskets_merged_with_the_next(rng, orders):
    following = orders[1:] + orders[:1]
    return [
        order | {"basket": order["basket"] + other["basket"]}
        for order, other in zip(orders, following, strict=True)
    ]


def every_line_an_order(rng, orders):
    first = orders[0]["id"]
    single = [order | {"basket": [line]} for order in orders for line in order["basket"]]
    return [order | {"id": first + index} for index, order in enumerate(single)]


def quantity_and_price_swapped(line):
    return line | {"quantity": line["price"], "price": line["quantity"]}


def halved(rng, listed):
    return listed[: len(listed) // 2]


def names_one_row_off(rng, listed):
    names = [product["name"] for product in listed]
    return [product | {"name": name} for product, name in zip(listed, names[1:] + names[:1], strict=True)]


def mojibake(text):
    """A text whose UTF-8 was decoded as Latin-1."""
    return text.encode().decode("latin-1")


def bots(size, phone=None):
    """The change that adds this many orders of the same basket, by different customers or by one."""

    def change(rng, orders):
        basket = orders[0]["basket"]
        added = [
            orders[index % len(orders)]
            | {"basket": basket, "clientTel": phone or f"+7 (999) {index:03}-{rng.integers(10**4):04}"}
            for index in range(size)
        ]
        last = max(order["id"] for order in orders)
        return orders + [order | {"id": last + 1 + index} for index, order in enumerate(added)]

    return change


def ids_from_the_first(rng, world):
    """The order counter was reset: the orders of the run's day have the ids of the shop's first orders."""
    first = min(order["id"] for order in world.days[min(world.days)])
    start = world.orders[0]["id"]
    return on_last_day(each(to("id", lambda id_: first + id_ - start)))(rng, world)


def every_other_line(order):
    return order | {"basket": order["basket"][::2]}


def read_anew(world, days):
    """A full run against a shop that returns only these days."""
    return replace(world, full=True, days={day: world.days[day] for day in list(world.days) if day in days})


def read_anew_with_ten_days(rng, world):
    return read_anew(world, {LAST - dt.timedelta(days=back) for back in range(10)})


def read_anew_with_half(rng, world):
    halves = {day: keep(0.5)(rng, orders) for day, orders in world.days.items()}
    return replace(world.with_days(halves), full=True)


def first(case):
    """The case as the first run: there is no run before it."""
    return lambda rng, world: replace(case(rng, world), known=False)


def always(change):
    return on_visible_days(change, days=10**3)


def tried_again(case):
    """The case, after a run that read the same data."""

    def twice(rng, world):
        bad = case(rng, world)
        return replace(bad, before=bad)

    return twice


def not_corrected(case):
    """A valid day after the bad day, whose data the shop still returns unchanged."""

    def next_day(rng, world):
        bad = case(rng, world)
        return replace(bad.at(LAST + dt.timedelta(days=1)), before=bad)

    return next_day


BAD = {
    # How many orders
    "no orders at all": on_last_day(lambda rng, orders: []),
    "nine tenths of the orders missing": on_last_day(keep(0.1)),
    "half of the orders missing": on_last_day(keep(0.5)),
    "the feed stopped at noon": on_last_day(
        lambda rng, orders: [order for order in orders if hour(order) < 12]
    ),
    "every order twice under new ids": on_last_day(lambda rng, orders: orders + with_new_ids(orders)),
    "one page twice under new ids": on_last_day(half_a_day_twice),
    "yesterday's orders dated today": delivered_again(1),
    "orders of the same weekday of last week dated today": delivered_again(7),
    "yesterday's orders again under new ids": yesterday_twice,
    "500 orders of the same basket by bots": on_last_day(bots(500)),
    "500 orders of one customer": on_last_day(bots(500, "+7 (905) 318-2264")),
    "seven times the orders, without a calendar": busy(7),
    "every line an order of its own": on_last_day(every_line_an_order),
    # Prices
    "prices times 100": on_last_day(each_line(times("price", 100))),
    "prices times 10": on_last_day(each_line(times("price", 10))),
    "prices divided by 100": on_last_day(each_line(times("price", 0.01))),
    "all prices 0": on_last_day(each_line(put(price=0))),
    "all prices null": on_last_day(each_line(put(price=None))),
    "one price for everything": on_last_day(each_line(put(price=999.0))),
    "prices with a decimal comma": on_last_day(
        each_line(to("price", lambda price: f"{price:.2f}".replace(".", ",")))
    ),
    "prices in another currency": on_last_day(each_line(times("price", 1 / 90))),
    "a third of the prices in another currency": on_last_day(each_line(times("price", 90), 1 / 3)),
    "price and quantity swapped": on_last_day(each_line(quantity_and_price_swapped)),
    # Products
    "product ids shifted by one": shifted_products,
    "product ids with a prefix": on_last_day(each_line(to("goodsId", lambda id_: f"SKU-{id_}"))),
    "product ids with leading zeros": on_visible_days(each_line(to("goodsId", lambda id_: f"{id_:0>12}"))),
    "product ids cut short": on_last_day(each_line(to("goodsId", lambda id_: id_[:4]))),
    "products shuffled among the lines": on_last_day(shuffled_products),
    "one product id for everything": on_last_day(each_line(put(goodsId="10001"))),
    "a catch-all product in every basket": on_last_day(catch_all),
    "a third of the product ids null": on_last_day(each_line(put(goodsId=None), 1 / 3)),
    # Customers
    "all phones null": on_last_day(each(put(clientTel=None))),
    "half of the phones null": on_last_day(each(put(clientTel=None), 0.5)),
    "one placeholder for all phones": on_last_day(each(put(clientTel="+7 (495) 120-00-00"))),
    "everything bought by one customer": on_last_day(
        lambda rng, orders: each(put(clientTel=orders[0]["clientTel"]))(rng, orders)
    ),
    "phones without the country code": on_visible_days(
        each(to("clientTel", lambda phone: digits(phone)[1:]))
    ),
    "phones with the trunk prefix 8": on_last_day(
        each(to("clientTel", lambda phone: "8" + digits(phone)[1:]))
    ),
    "phones cut to seven digits": on_last_day(each(to("clientTel", lambda phone: digits(phone)[:7]))),
    "phones as a spreadsheet rounds them": on_last_day(
        each(to("clientTel", lambda phone: f"{float(digits(phone)):.2E}"))
    ),
    "phones masked": on_last_day(each(to("clientTel", lambda phone: f"+7 (9**) ***-**{phone[-2:]}"))),
    "phones hashed": on_visible_days(
        each(to("clientTel", lambda phone: hashlib.sha256(phone.encode()).hexdigest()))
    ),
    "every order by a new customer": on_last_day(new_customers(1.0)),
    "customers shuffled among the orders": on_last_day(shuffled_phones),
    "customers one row off": on_last_day(phones_one_row_off),
    "the key of the pseudonyms changed": lambda rng, world: replace(
        world, settings={"CUSTOMER_KEY": "another key"}
    ),
    # Times
    "dates a year ahead": on_last_day(each(shift_time(days=365))),
    "dates a year back": on_last_day(each(shift_time(days=-365))),
    "day and month swapped": on_visible_days(
        each(to("createdAt", lambda time: f"{moment(time):%Y-%d-%mT%H:%M:%SZ}"))
    ),
    "days before months, with dots": on_last_day(
        each(to("createdAt", lambda time: f"{moment(time):%d.%m.%Y %H:%M:%S}"))
    ),
    "times as seconds since 1970": on_last_day(
        each(to("createdAt", lambda time: int(moment(time).timestamp())))
    ),
    "the day's times nine hours off": on_last_day(each(shift_time(hours=-9))),
    "all times shown nine hours off": on_visible_days(each(shift_time(hours=9))),
    "all orders at midnight": on_last_day(each(to("createdAt", lambda time: f"{time[:10]}T00:00:00Z"))),
    "all orders at the start of 1970": on_last_day(each(put(createdAt="1970-01-01T00:00:00Z"))),
    # Quantities and baskets
    "quantities negative": on_last_day(each_line(times("quantity", -1))),
    "quantities times 1000": on_last_day(each_line(times("quantity", 1000))),
    "all quantities 0": on_last_day(each_line(put(quantity=0))),
    "a third of the quantities null": on_last_day(each_line(put(quantity=None), 1 / 3)),
    "all baskets empty": on_last_day(each(put(basket=[]))),
    "baskets cut to their first line": on_last_day(each(to("basket", lambda basket: basket[:1]))),
    "every basket merged with the next": on_last_day(baskets_merged_with_the_next),
    # Shape
    "goodsId renamed to goods_id": on_visible_days(each_line(renamed("goodsId", "goods_id"))),
    "createdAt renamed to created_at": on_visible_days(each(renamed("createdAt", "created_at"))),
    "clientTel renamed to client_tel": on_visible_days(each(renamed("clientTel", "client_tel"))),
    "price renamed to unitPrice": on_visible_days(each_line(renamed("price", "unitPrice"))),
    "a basket that is a text": on_visible_days(each(put(basket="[]"))),
    # Catalogue
    "catalogue empty": goods(lambda rng, listed: []),
    "half of the catalogue missing": goods(halved),
    "names one row off": goods(names_one_row_off),
    "names in mojibake": goods(each(to("name", mojibake))),
    "all names blank": goods(each(put(name=""))),
    "one name for everything": goods(each(put(name="Product"))),
    "new ids in the catalogue": goods(each(to("id", lambda id_: f"N{id_}"))),
    "catalogue prices times 100": goods(each(times("price", 100))),
    "all categories gone": goods(each(put(category=None))),
    "everything out of stock": goods(each(put(inStock=False))),
    # Earlier days
    "order ids begin again at the first": ids_from_the_first,
    "all orders shown under new ids": on_visible_days(each(to("id", lambda id_: id_ + 10**6))),
    "the known orders emptied": known(each(put(basket=[])), 5),
    "half of the lines of five days gone": known(each(every_other_line), 5),
    "all of yesterday cancelled": known(each(put(basket=[]))),
    "read anew, with ten days": read_anew_with_ten_days,
    "read anew, with half of the orders": read_anew_with_half,
    "one page too few": lambda rng, world: replace(world, pages=1),
    # First runs, which have no history
    "first run: every order twice under new ids": first(
        always(lambda rng, orders: orders + [order | {"id": order["id"] + 10**6} for order in orders])
    ),
    "first run: one product id for everything": first(always(each_line(put(goodsId="10001")))),
    "first run: everything bought by one customer": first(always(each(put(clientTel="+7 (905) 318-2264")))),
    "first run: all prices null": first(always(each_line(put(price=None)))),
    # Repeated
    "half of the orders missing, tried again": tried_again(on_last_day(keep(0.5))),
    "prices times 100, tried again": tried_again(on_last_day(each_line(times("price", 100)))),
    "customers shuffled, not corrected the day after": not_corrected(on_last_day(shuffled_phones)),
    "prices times 100, not corrected the day after": not_corrected(
        on_last_day(each_line(times("price", 100)))
    ),
}
