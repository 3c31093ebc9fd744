"""Small files in the shapes of published data sets and of shops' exports, drawn with a known truth."""

import csv
import datetime as dt
import json
import random
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from pipelines import columns as c
from pipelines.extract import pulls, raw, versions
from pipelines.extract.files import FileSource
from pipelines.run.progress import silent

START = dt.datetime(2025, 3, 3, 9, 0)
# Columns of the UCI data set Online Retail, and of Online Retail II as CSV.
ONLINE_RETAIL = (
    *("InvoiceNo", "StockCode", "Description", "Quantity"),
    *("InvoiceDate", "UnitPrice", "CustomerID", "Country"),
)
ONLINE_RETAIL_II = (
    *("Invoice", "StockCode", "Description", "Quantity"),
    *("InvoiceDate", "Price", "Customer ID", "Country"),
)


@dataclass
class Line:
    """An order line as it was bought."""

    order: int
    time: dt.datetime
    customer: int
    product: int
    quantity: int
    status: str = "completed"

    @property
    def price(self):
        """The price of one piece."""
        return round(1.5 + 0.75 * self.product, 2)

    @property
    def amount(self):
        """The price of all pieces."""
        return round(self.quantity * self.price, 2)


@dataclass
class Drawn:
    """A shop's order lines."""

    lines: list[Line] = field(default_factory=list)

    @property
    def bought(self):
        """The lines of orders that weren't cancelled."""
        return [line for line in self.lines if line.status == "completed"]


def draw(seed, orders=400, customers=60, products=40, statuses=("completed",) * 9 + ("cancelled",)):
    """Returns orders of a shop: one per customer and day at most, each product once per order."""
    rng = random.Random(seed)
    drawn, taken, number = Drawn(), set(), 1000
    while number < 1000 + orders:
        customer, day = rng.randrange(1, customers + 1), rng.randrange(90)
        if (customer, day) in taken:
            continue
        taken.add((customer, day))
        time = START + dt.timedelta(days=day, minutes=rng.randrange(600), seconds=rng.randrange(60))
        status = rng.choice(statuses)
        for product in rng.sample(range(1, products + 1), rng.randrange(1, 5)):
            quantity = rng.choice((1, 1, 1, 2, 3))
            drawn.lines.append(Line(number, time, customer, product, quantity, status))
        number += 1
    drawn.lines.sort(key=lambda line: (line.time, line.order))
    return drawn


def write_csv(path, header, rows, **options):
    """Writes a CSV file."""
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **options)
        writer.writerows([header, *rows])
    return path


def online_retail_csv(drawn, folder, old=False):
    """The UCI data set as CSV, of Online Retail II or of its predecessor."""
    header = ONLINE_RETAIL if old else ONLINE_RETAIL_II
    form = "%-m/%-d/%Y %-H:%M" if old else "%Y-%m-%d %H:%M:%S"
    return write_csv(folder / "online_retail.csv", header, (_retail(line, form) for line in drawn.lines))


def _retail(line, form):
    country = ["United Kingdom", "France", "EIRE"][line.customer % 3]
    name = f"HEART NUMBER {line.product}"
    return [
        *(line.order, f"8{line.product:04}A", name, line.quantity, line.time.strftime(form)),
        *(line.price, f"{12000 + line.customer}.0", country),
    ]


def ta_feng(drawn, folder):
    """Ta-Feng's CSV file, as published."""
    header = ["TRANSACTION_DT", "CUSTOMER_ID", "AGE_GROUP", "PIN_CODE", "PRODUCT_SUBCLASS", "PRODUCT_ID"]
    header += ["AMOUNT", "ASSET", "SALES_PRICE"]
    rows = (
        [
            *(
                line.time.strftime("%-m/%-d/%Y"),
                f"{line.customer:08}",
                "25-29",
                "115",
                110400 + line.product % 7,
            ),
            *(471000000000 + line.product, line.quantity, round(line.amount * 7), round(line.amount * 10)),
        ]
        for line in drawn.lines
    )
    return write_csv(folder / "ta_feng_all_months_merged.csv", header, rows, encoding="utf-8-sig")


def dunnhumby(drawn, folder):
    """transaction_data.csv of The Complete Journey."""
    header = ["household_key", "BASKET_ID", "DAY", "PRODUCT_ID", "QUANTITY", "SALES_VALUE", "STORE_ID"]
    header += ["RETAIL_DISC", "TRANS_TIME", "WEEK_NO", "COUPON_DISC", "COUPON_MATCH_DISC"]
    rows = (
        [
            *(line.customer, 26984851000 + line.order, (line.time - START).days + 1, 820000 + line.product),
            *(line.quantity, line.amount, 364, 0.0, line.time.strftime("%H%M"), 1, 0.0, 0.0),
        ]
        for line in drawn.lines
    )
    return write_csv(folder / "transaction_data.csv", header, rows)


def hm(drawn, folder):
    """transactions_train.csv and articles.csv of H&M; a line is a piece."""
    header = ["t_dat", "customer_id", "article_id", "price", "sales_channel_id"]
    rows = (
        [
            f"{line.time:%Y-%m-%d}",
            f"{line.customer:064x}",
            f"0{663713000 + line.product}",
            line.price / 590,
            2,
        ]
        for line in drawn.lines
        for _ in range(line.quantity)
    )
    products = sorted({line.product for line in drawn.lines})
    articles = ([f"0{663713000 + p}", 663713, f"Top {p}", "Vest top", "Ladieswear"] for p in products)
    names = ["article_id", "product_code", "prod_name", "product_type_name", "index_name"]
    write_csv(folder / "articles.csv", names, articles)
    return write_csv(folder / "transactions_train.csv", header, rows)


def retailrocket(drawn, folder):
    """events.csv: a view and a cart before each purchase."""
    header = ["timestamp", "visitorid", "event", "itemid", "transactionid"]
    rows = []
    for line in drawn.lines:
        at = int(line.time.replace(tzinfo=dt.UTC).timestamp()) * 1000
        rows += [[at - 120_000, line.customer, "view", line.product, ""]]
        rows += [[at - 60_000, line.customer, "addtocart", line.product, ""]]
        rows += [[at, line.customer, "transaction", line.product, line.order]]
    return write_csv(folder / "events.csv", header, rows)


def olist(drawn, folder):
    """The files of Olist's data set; a line is a piece, and each order has a customer_id of its own."""
    items = [
        [
            f"o{line.order}",
            piece,
            f"p{line.product}",
            "s1",
            f"{line.time:%Y-%m-%d %H:%M:%S}",
            line.price,
            10.5,
        ]
        for line in drawn.lines
        for piece in range(1, line.quantity + 1)
    ]
    orders = {line.order: line for line in drawn.lines}
    bought = [
        [
            *(f"o{number}", f"c{number}", "delivered" if line.status == "completed" else "canceled"),
            *(f"{line.time:%Y-%m-%d %H:%M:%S}", "", "", "", f"{line.time:%Y-%m-%d} 00:00:00"),
        ]
        for number, line in orders.items()
    ]
    people = [[f"c{number}", f"u{line.customer}", "14409", "franca", "SP"] for number, line in orders.items()]
    names = [
        "order_id",
        "order_item_id",
        "product_id",
        "seller_id",
        "shipping_limit_date",
        "price",
        "freight_value",
    ]
    write_csv(folder / "olist_order_items_dataset.csv", names, items)
    times = ["order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"]
    names = ["order_id", "customer_id", "order_status", "order_purchase_timestamp", *times]
    write_csv(folder / "olist_orders_dataset.csv", [*names, "order_estimated_delivery_date"], bought)
    names = [
        "customer_id",
        "customer_unique_id",
        "customer_zip_code_prefix",
        "customer_city",
        "customer_state",
    ]
    write_csv(folder / "olist_customers_dataset.csv", names, people)
    products = sorted({line.product for line in drawn.lines})
    names = ["product_id", "product_category_name", "product_name_lenght"]
    write_csv(folder / "olist_products_dataset.csv", names, ([f"p{p}", "perfumaria", 40] for p in products))
    return folder


def instacart(drawn, folder):
    """orders.csv, order_products__prior.csv and products.csv of Instacart; without quantities."""
    first = {line.order: line for line in drawn.lines}
    by_customer = {}
    for number, line in first.items():
        by_customer.setdefault(line.customer, []).append((line.time, number))
    rows = []
    for customer, orders in by_customer.items():
        previous = None
        for count, (time, number) in enumerate(sorted(orders), 1):
            days = "" if previous is None else float((time.date() - previous.date()).days)
            rows.append([number, customer, "prior", count, time.weekday(), f"{time.hour:02}", days])
            previous = time
    names = ["order_id", "user_id", "eval_set", "order_number", "order_dow", "order_hour_of_day"]
    write_csv(folder / "orders.csv", [*names, "days_since_prior_order"], rows)
    lines = ([line.order, line.product, 1, 0] for line in drawn.lines)
    names = ["order_id", "product_id", "add_to_cart_order", "reordered"]
    write_csv(folder / "order_products__prior.csv", names, lines)
    products = sorted({line.product for line in drawn.lines})
    names = ["product_id", "product_name", "aisle_id", "department_id"]
    write_csv(folder / "products.csv", names, ([p, f"Soup {p}", 5, 2] for p in products))
    return folder


def amazon_reviews(drawn, folder, new=False):
    """Reviews as JSON lines, of 2014 or of 2023."""
    rows = []
    for line in drawn.lines:
        at = int(line.time.replace(tzinfo=dt.UTC).timestamp())
        old = {
            "reviewerID": f"A{line.customer}",
            "asin": f"B{line.product:04}",
            "overall": 5.0,
            "unixReviewTime": at,
        }
        later = {
            "user_id": f"A{line.customer}",
            "asin": f"V{line.product:04}",
            "parent_asin": f"B{line.product:04}",
        }
        rows.append(later | {"rating": 5.0, "timestamp": at * 1000} if new else old)
    path = folder / "reviews.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


SHOPIFY = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
]
SHOPIFY += ["Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code", "Discount Amount"]
SHOPIFY += ["Shipping Method", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price"]
SHOPIFY += ["Lineitem compare at price", "Lineitem sku", "Lineitem requires shipping", "Lineitem taxable"]
SHOPIFY += [
    "Lineitem fulfillment status",
    "Billing Name",
    "Notes",
    "Cancelled at",
    "Refunded Amount",
    "Vendor",
    "Id",
]


def shopify(drawn, folder):
    """Shopify's export: order fields on the first line, notes with line breaks."""
    rows, seen = [], set()
    for line in drawn.lines:
        row = dict.fromkeys(SHOPIFY, "")
        row |= {"Name": f"#{line.order}", "Email": f"c{line.customer}@shop.example", "Vendor": "Maker 1"}
        row |= {"Lineitem quantity": line.quantity, "Lineitem name": f"Thing {line.product}"}
        row |= {"Lineitem price": f"{line.price:.2f}", "Lineitem sku": f"P{line.product}"}
        if line.order not in seen:
            status = "paid" if line.status == "completed" else "refunded"
            time = f"{line.time:%Y-%m-%d %H:%M:%S} -0500"
            row |= {"Financial Status": status, "Created at": time, "Paid at": time, "Currency": "USD"}
            row |= {"Notes": "Please ring\ntwice", "Id": 5550000000000 + line.order, "Total": "99.00"}
        seen.add(line.order)
        rows.append(list(row.values()))
    return write_csv(folder / "orders_export_1.csv", SHOPIFY, rows)


def woocommerce(drawn, folder):
    """An order per row, its lines packed into one cell."""
    orders = {}
    for line in drawn.lines:
        orders.setdefault(line.order, []).append(line)
    rows = [
        [
            *(number, number, f"{lines[0].time:%Y-%m-%d %H:%M:%S}", lines[0].status),
            *(sum(line.amount for line in lines), lines[0].customer, f"c{lines[0].customer}@shop.example"),
            ";".join(
                f"name:Thing {line.product}|product_id:{line.product}|sku:P{line.product}"
                f"|quantity:{line.quantity}|total:{line.amount:.2f}"
                for line in lines
            ),
        ]
        for number, lines in orders.items()
    ]
    header = [
        "order_id",
        "order_number",
        "order_date",
        "status",
        "order_total",
        "customer_id",
        "billing_email",
    ]
    return write_csv(folder / "orders.csv", [*header, "line_items"], rows)


def parquet(path, to):
    """Copies a CSV file of plain columns as Parquet."""
    pd.read_csv(path).to_parquet(to)
    return to


SHAPES = {
    "online_retail_ii": online_retail_csv,
    "ta_feng": ta_feng,
    "dunnhumby": dunnhumby,
    "hm": hm,
    "retailrocket": retailrocket,
    "olist": olist,
    "instacart": instacart,
    "amazon_reviews": amazon_reviews,
    "shopify_csv": shopify,
    "woocommerce_csv": woocommerce,
}


WITHOUT_STATUS = (
    "online_retail_ii",
    "ta_feng",
    "dunnhumby",
    "hm",
    "retailrocket",
    "instacart",
    "amazon_reviews",
)
WITHOUT_QUANTITY = ("retailrocket", "instacart", "amazon_reviews")


def lines(path, mapping):
    """The order lines of a first pull that no rule leaves out, as pandas holds them."""
    source = FileSource(str(path), str(mapping))
    pulls.pull(source, dt.date(2030, 1, 1), True, silent)
    rows = raw.read(raw.pulls(source.name), [*versions.CONTENT, c.FAULT]).to_pandas()
    assert rows[c.FAULT].isna().all()
    return rows[rows[c.LEFT_OUT].isna()]


def pieces(rows):
    """How many pieces of a product each customer bought, by numbers."""
    counts = Counter()
    for customer, product, quantity in rows[[c.CUSTOMER, c.PRODUCT, c.QUANTITY]].itertuples(index=False):
        counts[customer, product] += float(quantity)
    return sorted(counts.values())


def truth(drawn, name):
    """The lines that were bought as a shape shows them, and their pieces by customer and product."""
    bought = drawn.lines if name in WITHOUT_STATUS else drawn.bought
    counts = Counter()
    for line in bought:
        counts[line.customer, line.product] += 1 if name in WITHOUT_QUANTITY else line.quantity
    return bought, sorted(counts.values())
