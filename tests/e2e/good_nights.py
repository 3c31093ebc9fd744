"""Nights that look unusual and are fine: they must not be stopped."""

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
    moved,
    phone,
    put,
    strangers,
    times,
    to,
    tonight,
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


def as_line(good):
    return {"goodsId": good["id"], "quantity": 1, "price": good["price"]}


def with_goods(listed, change):
    """The case of a catalogue with more goods, and of tonight's orders."""
    return lambda rng, world: replace(tonight(change)(rng, world), goods=world.goods + listed)


def new_brand(rng, orders):
    """About 15 of 100 lines are of goods that are new today."""
    return each_line(lambda line: line | as_line(NEW[rng.integers(len(NEW))]), 0.15)(rng, orders)


def hit(rank, share):
    """The case of a product, by its rank among those sold before, that this share of orders holds too."""

    def case(rng, world):
        price = {one["id"]: one["price"] for one in world.goods}
        sold = Counter(line["goodsId"] for one in chain(*world.days.values()) for line in one["basket"])
        listed = [id_ for id_, _ in sold.most_common() if id_ in price]
        line = {"goodsId": listed[rank], "quantity": 1, "price": price[listed[rank]]}
        return tonight(each(with_line(line), share))(rng, world)

    return case


def with_line(line):
    """What puts a line into an order that doesn't hold its product."""

    def alter(order):
        held = {one["goodsId"] for one in order["basket"]}
        return order if line["goodsId"] in held else order | {"basket": [*order["basket"], line]}

    return alter


def sale_in_a_category(rng, world):
    category = world.goods[0]["category"]
    cut = {one["id"] for one in world.goods if one["category"] == category}
    halve = times("price", 0.5)
    cheaper = tonight(each_line(lambda line: halve(line) if line["goodsId"] in cut else line))(rng, world)
    listed = [halve(one) if one["id"] in cut else one for one in world.goods]
    return replace(cheaper, goods=listed)


def prices_change(factor):
    """The case of new prices for everything, in the catalogue and tonight's orders."""
    return both(tonight(each_line(times("price", factor))), goods(each(times("price", factor))))


def both(one, other):
    """The case of two cases together."""
    return lambda rng, world: other(rng, one(rng, world))


def bulk_buyer(rng, world):
    basket = [as_line(one) for one in world.goods[:120]]
    return tonight(lambda rng, orders: [orders[0] | {"basket": basket}, *orders[1:]])(rng, world)


def five_hundred_pieces(rng, orders):
    first_line, *others = orders[0]["basket"]
    return [orders[0] | {"basket": [first_line | {"quantity": 500}, *others]}, *orders[1:]]


def some_dirt(rng, orders):
    """Six kinds of dirt beside what the shop has: three of lines, and three of orders of few lines."""
    small = sorted(orders, key=lambda one: len(one["basket"]))[: len(orders) // 10]
    taken = rng.permutation(len(small))[:3]
    kinds = (put(clientTel="+7 (777) 777-7777"), put(clientTel=None), put(createdAt=None))
    dirty = {small[place]["id"]: kind for place, kind in zip(taken, kinds, strict=True)}
    orders = [dirty[one["id"]](one) if one["id"] in dirty else one for one in orders]
    for change in (put(quantity=0), put(price=None), put(goodsId=None)):
        orders = each_line(change, 0.003)(rng, orders)
    return orders


def some_listed_twice(rng, orders):
    return orders + keep(0.03)(rng, orders)


def late_orders(rng, world):
    """Forty orders of the last five days that the shop lists only tonight."""
    late = []
    for back in range(1, 6):
        day = world.days[world.as_of - dt.timedelta(days=back)]
        some = keep(8 / len(day))(rng, day)
        late += [one | {"clientTel": phone(rng), "basket": one["basket"][::-1]} for one in some]
    last = max(one["id"] for one in world.orders)
    renumbered = [one | {"id": last + 1 + place} for place, one in enumerate(late)]
    return world.with_days({world.as_of: world.orders + renumbered})


def bigger_baskets(rng, orders):
    """Most orders hold one more product, that of a line of another order."""
    lines = [line for one in orders for line in one["basket"]]
    return [with_line(lines[rng.integers(len(lines))])(one) if rng.random() < 0.9 else one for one in orders]


def smaller_baskets(rng, orders):
    return [one | {"basket": one["basket"][: 1 + rng.integers(5)]} for one in orders]


def less_loyal(rng, orders):
    """A fifth of the customers buy what others would have bought."""
    baskets = [one["basket"] for one in orders]
    return each(lambda one: one | {"basket": baskets[rng.integers(len(baskets))]}, 0.2)(rng, orders)


def campaign(rng, world):
    return tonight(strangers(0.6))(rng, busy(2)(rng, world))


def edges_of_the_day(rng, orders):
    early, late = (put(createdAt=f"{LAST}T{time}Z") for time in ("00:00:00", "23:59:59"))
    return [early(orders[0]), *orders[1:-1], late(orders[-1])]


def orders_of_today_listed_too(rng, world):
    return replace(world, today=LAST + dt.timedelta(days=1))


def late_night(days):
    """The case of a night that is this many days late: it has them all at once."""
    return lambda rng, world: world.at(LAST + dt.timedelta(days=days))


def night_of(days_before):
    """The case of a night of days before, at a shop that shows all up to the last night."""
    day = dt.timedelta(days=days_before)
    return lambda rng, world: replace(world, as_of=LAST - day, today=LAST - dt.timedelta(days=1))


def first_night(days):
    """The case of a shop that is this many days old and met by no night."""

    def case(rng, world):
        young = {day: orders for day, orders in world.days.items() if day > LAST - dt.timedelta(days=days)}
        return replace(world, days=young, known=False)

    return case


def more_goods(rng, listed):
    names = [f"{one['name']} II" for one in listed[: len(listed) // 5]]
    return listed + [
        one | {"id": f"8{one['id']}", "name": name} for one, name in zip(listed, names, strict=False)
    ]


def in_moscow(text):
    """The same instant, as a clock three hours ahead shows it, with its offset."""
    return (moment(text) + dt.timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%S+03:00")


def other_letters(text):
    return f"{text} für Ёжик 🎁"


def mended(name):
    """The shop as it is, after a night that was stopped by what is mended since; read from the beginning."""
    return lambda rng, world: replace(world, before=BAD[name](rng, world), full=True)


def a_new_system(rng, world):
    """The shop moved to a new system that knows tonight's orders alone; the lake knows the others."""
    empty = {day: [] for day in world.days if day < world.as_of}
    return tonight(each(to("id", lambda id_: id_ + 10**6)))(rng, world.with_days(empty))


def shaped(shape):
    """What writes a phone in a shape."""
    return to("clientTel", lambda one: shape.format(digits(one)[1:4], digits(one)[4:7], digits(one)[7:]))


GOOD = {
    # How many orders
    "an ordinary Sunday": unchanged,
    "holiday peak, twice the orders": busy(2),
    "holiday peak, three times the orders": busy(3),
    "a good day, half as many orders again": busy(1.5),
    "a quiet Sunday": busy(0.75),
    "a quiet holiday": busy(0.65),
    "an evening outage of two hours": tonight(
        lambda rng, orders: [one for one in orders if hour(one) not in (18, 19)]
    ),
    "opened only after eleven": tonight(lambda rng, orders: [one for one in orders if hour(one) >= 11]),
    "an order in the first second and in the last": tonight(edges_of_the_day),
    "orders of today listed too": orders_of_today_listed_too,
    # Prices
    "a sale, 30 % off everything": tonight(each_line(times("price", 0.7))),
    "a sale, 50 % off a category": sale_in_a_category,
    "prices rise by 8 %": prices_change(1.08),
    "catalogue prices fall by 3 %": prices_change(0.97),
    "a few prices at zero": tonight(each_line(put(price=0), 0.01)),
    "prices as text": tonight(each_line(to("price", lambda one: f"{one:.2f}"))),
    # Products
    "a new brand makes 15 % of the lines": with_goods(NEW, new_brand),
    "a hit in 15 % of the orders": hit(0, 0.15),
    "a viral product from the back of the catalogue": hit(-10, 0.12),
    # Customers
    "a campaign: twice the orders, 60 % new customers": campaign,
    "a new region: 20 % new customers": tonight(strangers(0.2)),
    "a fifth less loyal": tonight(less_loyal),
    "2 % guests": tonight(each(put(clientTel=None), 0.02)),
    "all phones as +7(916)539-6205": tonight(each(shaped("+7({}){}-{}"))),
    "all phones as +7 (905) 545-5709": tonight(each(shaped("+7 ({}) {}-{}"))),
    "all phones as 79153706507": tonight(each(shaped("7{}{}{}"))),
    "all phones with spaces": tonight(each(shaped(" +7 {} {} {} "))),
    # Baskets
    "a bulk buyer with 120 lines": bulk_buyer,
    "500 pieces in one order": tonight(five_hundred_pieces),
    "10 % of the lines are returns": tonight(each_line(times("quantity", -1), 0.1)),
    "baskets a third bigger": tonight(bigger_baskets),
    "many small baskets": tonight(smaller_baskets),
    "3 % dirty lines": tonight(some_dirt),
    "3 % of the orders listed twice": tonight(some_listed_twice),
    # What was known
    "40 late orders of the last five days": late_orders,
    "a tenth of yesterday's quantities corrected": known(each_line(put(quantity=4), 0.1)),
    "1 % of yesterday's orders emptied": known(each(put(basket=[]), 0.01)),
    "1 % of yesterday's orders gone": known(keep(0.99)),
    "new order numbers begin with a letter": tonight(each(to("id", lambda one: f"W-{one}"))),
    "a new system that lists tonight's orders alone": a_new_system,
    "order ids jump by a million": tonight(each(to("id", lambda one: one + 10**6))),
    # Catalogue
    "a category sold out": goods(
        lambda rng, listed: [
            one | {"inStock": one["inStock"] and one["category"] != listed[0]["category"]} for one in listed
        ]
    ),
    "5 % of the products delisted": goods(keep(0.95)),
    "a fifth more products": goods(more_goods),
    "all categories renamed": goods(each(to("category", lambda one: f"{one} & more"))),
    "a tenth of the names changed": goods(each(to("name", lambda one: f"{one} (new recipe)"), 0.1)),
    "one product renamed": goods(each(to("name", lambda one: f"{one} Classic"), 0.001)),
    "a tenth of the names with letters of all kinds": goods(each(to("name", other_letters), 0.1)),
    "all brands null": goods(each(put(brand=None))),
    # Times
    "clocks changed by an hour": tonight(each(moved(hours=-1))),
    "times with another offset": tonight(each(to("createdAt", in_moscow))),
    "times with fractions of a second": tonight(each(to("createdAt", lambda one: one.replace("Z", ".250Z")))),
    # The night
    "two days at once": late_night(1),
    "three days at once": late_night(LATER),
    "the last night again": night_of(1),
    "a night of three days ago again": night_of(3),
    "read anew from the beginning": lambda rng, world: replace(world, full=True),
    "first night with 70 days": lambda rng, world: replace(world, known=False),
    "first night with 30 days": first_night(30),
    "first night with 8 days": first_night(8),
    # Mended
    **{
        f"mended after: {name}": mended(name)
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
