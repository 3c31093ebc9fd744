"""Unusual but valid shop data that validation must not stop."""

import datetime as dt
from collections import Counter
from dataclasses import replace
from itertools import chain

from bad_nights import BAD
from nights import (
    LAST,
    LATER,
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
    phone,
    put,
    shift_time,
    times,
    to,
    with_new_ids,
)

NEW = [
    {
        "id": str(90001 + number),
        "name": f"Fjordlys Article {number}",
        "category": "Novelties",
        "brand": "Fjordlys",
        "price": 199.0 + 100 * number,
        "inStock": True,
    }
    for number in range(20)
]


def unchanged(rng, world):
    return world


def as_line(product):
    return {"goodsId": product["id"], "quantity": 1, "price": product["price"]}


def with_goods(listed, change):
    """The case of a catalogue with these products added, and of changed orders on the run's day."""
    return lambda rng, world: replace(on_last_day(change)(rng, world), goods=world.goods + listed)


def new_brand(rng, orders):
    """About 15 % of the lines are of products that are new on this day."""
    return each_line(lambda line: line | as_line(NEW[rng.integers(len(NEW))]), 0.15)(rng, orders)


def hit(rank, share):
    """The case in which this share of the orders also contains the best seller of this rank."""

    def case(rng, world):
        price = {product["id"]: product["price"] for product in world.goods}
        sold = Counter(line["goodsId"] for order in chain(*world.days.values()) for line in order["basket"])
        listed = [id_ for id_, _ in sold.most_common() if id_ in price]
        line = {"goodsId": listed[rank], "quantity": 1, "price": price[listed[rank]]}
        return on_last_day(each(with_line(line), share))(rng, world)

    return case


def with_line(line):
    """The change that adds a line to an order that doesn't hold its product."""

    def alter(order):
        products = {other["goodsId"] for other in order["basket"]}
        return order if line["goodsId"] in products else order | {"basket": [*order["basket"], line]}

    return alter


def sale_in_a_category(rng, world):
    category = world.goods[0]["category"]
    reduced = {product["id"] for product in world.goods if product["category"] == category}
    halve = times("price", 0.5)
    cheaper = on_last_day(each_line(lambda line: halve(line) if line["goodsId"] in reduced else line))(
        rng, world
    )
    listed = [halve(product) if product["id"] in reduced else product for product in world.goods]
    return replace(cheaper, goods=listed)


def prices_change(factor):
    """The case of new prices for all products, in the catalogue and in the orders of the run's day."""
    return both(on_last_day(each_line(times("price", factor))), goods(each(times("price", factor))))


def both(first, second):
    """The case that applies two cases."""
    return lambda rng, world: second(rng, first(rng, world))


def bulk_buyer(rng, world):
    basket = [as_line(product) for product in world.goods[:120]]
    return on_last_day(lambda rng, orders: [orders[0] | {"basket": basket}, *orders[1:]])(rng, world)


def five_hundred_pieces(rng, orders):
    first_line, *others = orders[0]["basket"]
    return [orders[0] | {"basket": [first_line | {"quantity": 500}, *others]}, *orders[1:]]


def some_faults(rng, orders):
    """Adds six kinds of faults: three in lines, and three in orders with few lines."""
    small = sorted(orders, key=lambda order: len(order["basket"]))[: len(orders) // 10]
    chosen = rng.permutation(len(small))[:3]
    kinds = (put(clientTel="+7 (777) 777-7777"), put(clientTel=None), put(createdAt=None))
    faulty = {small[index]["id"]: kind for index, kind in zip(chosen, kinds, strict=True)}
    orders = [faulty[order["id"]](order) if order["id"] in faulty else order for order in orders]
    for change in (put(quantity=0), put(price=None), put(goodsId=None)):
        orders = each_line(change, 0.003)(rng, orders)
    return orders


def some_listed_twice(rng, orders):
    return orders + keep(0.03)(rng, orders)


def late_orders(rng, world):
    """Forty orders of the last five days that the shop lists only on the run's day."""
    late = []
    for back in range(1, 6):
        day = world.days[world.as_of - dt.timedelta(days=back)]
        some = keep(8 / len(day))(rng, day)
        late += [order | {"clientTel": phone(rng), "basket": order["basket"][::-1]} for order in some]
    last = max(order["id"] for order in world.orders)
    renumbered = [order | {"id": last + 1 + index} for index, order in enumerate(late)]
    return world.with_days({world.as_of: world.orders + renumbered})


def bigger_baskets(rng, orders):
    """Most orders get one more product, from a line of another order."""
    lines = [line for order in orders for line in order["basket"]]
    return [
        with_line(lines[rng.integers(len(lines))])(order) if rng.random() < 0.9 else order for order in orders
    ]


def smaller_baskets(rng, orders):
    return [order | {"basket": order["basket"][: 1 + rng.integers(5)]} for order in orders]


def less_loyal(rng, orders):
    """A fifth of the orders get the basket of another customer."""
    baskets = [order["basket"] for order in orders]
    return each(lambda order: order | {"basket": baskets[rng.integers(len(baskets))]}, 0.2)(rng, orders)


def campaign(rng, world):
    return on_last_day(new_customers(0.6))(rng, busy(2)(rng, world))


def edges_of_the_day(rng, orders):
    early, late = (put(createdAt=f"{LAST}T{time}Z") for time in ("00:00:00", "23:59:59"))
    return [early(orders[0]), *orders[1:-1], late(orders[-1])]


def orders_of_today_listed_too(rng, world):
    return replace(world, today=LAST + dt.timedelta(days=1))


def late_run(days):
    """The case of a run that is this many days late and reads all of them at once."""
    return lambda rng, world: world.at(LAST + dt.timedelta(days=days))


def after_black_friday(rng, world):
    """The run after one that was stopped because the shop sold seven times as much as usual."""
    friday, day = busy(7)(rng, world), LAST + dt.timedelta(days=1)
    later = friday.with_days({day: with_new_ids(friday.days[day], after=friday.orders)})
    return replace(later.at(day), before=later)


def repeated_run(days_before):
    """The case of a run of an earlier day, against a shop that lists all orders up to the last run's day."""
    day = dt.timedelta(days=days_before)
    return lambda rng, world: replace(world, as_of=LAST - day, today=LAST - dt.timedelta(days=1))


def first_run(days):
    """The case of a shop that is this many days old, in its first run."""

    def case(rng, world):
        young = {day: orders for day, orders in world.days.items() if day > LAST - dt.timedelta(days=days)}
        return replace(world, days=young, known=False)

    return case


def more_goods(rng, listed):
    names = [f"{product['name']} II" for product in listed[: len(listed) // 5]]
    return listed + [
        product | {"id": f"8{product['id']}", "name": name}
        for product, name in zip(listed, names, strict=False)
    ]


def in_moscow(text):
    """The same instant in a time zone three hours ahead, with its offset."""
    return (moment(text) + dt.timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%S+03:00")


def other_letters(text):
    return f"{text} für Ёжик 🎁"


def corrected(name):
    """A full run against correct data, after a run that a bad case stopped."""
    return lambda rng, world: replace(world, before=BAD[name](rng, world), full=True)


def a_new_system(rng, world):
    """The shop moved to a system that only lists the orders of the run's day; the lake holds the others."""
    empty = {day: [] for day in world.days if day < world.as_of}
    return on_last_day(each(to("id", lambda id_: id_ + 10**6)))(rng, world.with_days(empty))


def shaped(shape):
    """The change that writes a phone number in a format."""
    return to(
        "clientTel", lambda phone: shape.format(digits(phone)[1:4], digits(phone)[4:7], digits(phone)[7:])
    )


GOOD = {
    # How many orders
    "an ordinary Sunday": unchanged,
    "holiday peak, twice the orders": busy(2),
    "holiday peak, three times the orders": busy(3),
    "a good day, half as many orders again": busy(1.5),
    "a quiet Sunday": busy(0.75),
    "a quiet holiday": busy(0.65),
    "an evening outage of two hours": on_last_day(
        lambda rng, orders: [order for order in orders if hour(order) not in (18, 19)]
    ),
    "opened only after eleven": on_last_day(
        lambda rng, orders: [order for order in orders if hour(order) >= 11]
    ),
    "an order in the first second and in the last": on_last_day(edges_of_the_day),
    "orders of today listed too": orders_of_today_listed_too,
    # Prices
    "a sale, 30 % off everything": on_last_day(each_line(times("price", 0.7))),
    "a sale, 50 % off a category": sale_in_a_category,
    "prices rise by 8 %": prices_change(1.08),
    "catalogue prices fall by 3 %": prices_change(0.97),
    "a few prices at zero": on_last_day(each_line(put(price=0), 0.01)),
    "prices as text": on_last_day(each_line(to("price", lambda price: f"{price:.2f}"))),
    # Products
    "a new brand makes 15 % of the lines": with_goods(NEW, new_brand),
    "a hit in 15 % of the orders": hit(0, 0.15),
    "a viral product from the back of the catalogue": hit(-10, 0.12),
    # Customers
    "a campaign: twice the orders, 60 % new customers": campaign,
    "a new region: 20 % new customers": on_last_day(new_customers(0.2)),
    "a fifth less loyal": on_last_day(less_loyal),
    "2 % guests": on_last_day(each(put(clientTel=None), 0.02)),
    "all phones as +7(916)539-6205": on_last_day(each(shaped("+7({}){}-{}"))),
    "all phones as +7 (905) 545-5709": on_last_day(each(shaped("+7 ({}) {}-{}"))),
    "all phones as 79153706507": on_last_day(each(shaped("7{}{}{}"))),
    "all phones with spaces": on_last_day(each(shaped(" +7 {} {} {} "))),
    # Baskets
    "a bulk buyer with 120 lines": bulk_buyer,
    "500 pieces in one order": on_last_day(five_hundred_pieces),
    "10 % of the lines are returns": on_last_day(each_line(times("quantity", -1), 0.1)),
    "baskets a third bigger": on_last_day(bigger_baskets),
    "many small baskets": on_last_day(smaller_baskets),
    "3 % dirty lines": on_last_day(some_faults),
    "3 % of the orders listed twice": on_last_day(some_listed_twice),
    # Earlier days
    "40 late orders of the last five days": late_orders,
    "a tenth of yesterday's quantities corrected": known(each_line(put(quantity=4), 0.1)),
    "1 % of yesterday's orders emptied": known(each(put(basket=[]), 0.01)),
    "1 % of yesterday's orders gone": known(keep(0.99)),
    "new order numbers begin with a letter": on_last_day(each(to("id", lambda id_: f"W-{id_}"))),
    "a new system that lists only the run's day": a_new_system,
    "order ids jump by a million": on_last_day(each(to("id", lambda id_: id_ + 10**6))),
    # Catalogue
    "a category sold out": goods(
        lambda rng, listed: [
            product | {"inStock": product["inStock"] and product["category"] != listed[0]["category"]}
            for product in listed
        ]
    ),
    "5 % of the products delisted": goods(keep(0.95)),
    "a fifth more products": goods(more_goods),
    "all categories renamed": goods(each(to("category", lambda category: f"{category} & more"))),
    "a tenth of the names changed": goods(each(to("name", lambda name: f"{name} (new recipe)"), 0.1)),
    "one product renamed": goods(each(to("name", lambda name: f"{name} Classic"), 0.001)),
    "a tenth of the names with letters of all kinds": goods(each(to("name", other_letters), 0.1)),
    "all brands null": goods(each(put(brand=None))),
    # Times
    "clocks changed by an hour": on_last_day(each(shift_time(hours=-1))),
    "times with another offset": on_last_day(each(to("createdAt", in_moscow))),
    "times with fractions of a second": on_last_day(
        each(to("createdAt", lambda time: time.replace("Z", ".250Z")))
    ),
    # The nightly run
    "two days at once": late_run(1),
    "three days at once": late_run(LATER),
    "the run after a Black Friday that was stopped": after_black_friday,
    "the last run repeated": repeated_run(1),
    "the run of three days ago repeated": repeated_run(3),
    "read anew from the beginning": lambda rng, world: replace(world, full=True),
    "first run with 70 days": lambda rng, world: replace(world, known=False),
    "first run with 30 days": first_run(30),
    "first run with 8 days": first_run(8),
    # Corrected data
    **{
        f"corrected after: {name}": corrected(name)
        for name in (
            "no orders at all",
            "half of the orders missing",
            "prices times 100",
            "every order twice under new ids",
            "all phones null",
            "half of the catalogue missing",
        )
    },
}
