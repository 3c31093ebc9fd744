"""Known orders written in drawn dialects of delimited text."""

import csv
import datetime as dt
import io
import random
from dataclasses import dataclass, field

COLUMNS = ["Order No", "Ordered at", "Customer", "SKU", "Qty", "Price", "Title", "Note"]
DATES = {
    "%Y-%m-%d %H:%M:%S": "",
    "%Y-%m-%dT%H:%M:%S": "",
    "%d.%m.%Y %H:%M": "%d.%m.%Y %H:%M",
    "%m/%d/%Y %H:%M:%S": "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M": "%d/%m/%Y %H:%M",
    "%m/%d/%y %I:%M %p": "%m/%d/%y %I:%M %p",
    "%Y/%m/%d %H:%M": "",
    "%d-%b-%Y": "",
    "%Y%m%d": "",
    "seconds": "seconds",
    "milliseconds": "milliseconds",
}
NAMES = [
    "Tea",
    "Mug, blue",
    "Tea; green",
    'Pipe 5" long',
    "Tasse \u201eGr\u00f6\u00dfe\u201c".replace("\u201e", "'").replace("\u201c", "'"),
    "K\u00e4se | alt",
    "Set:\n2 cups",
    "NA",
    "null",
    "Caf\u00e9 'Noir'",
    "x^y~z",
    "a\tb",
]
NOTES = [
    "",
    "",
    "",
    "please ring",
    "two\nlines",
    "three\n\nlines; really",
    'say "hello", then leave',
    "1;2,3|4\n5,6;7|8",
]
NOISE = ["Export of orders", "", "Shop Berlin, created 30.11.2026", "sep=%s", "Period;2026"]
TOTALS = ["label", "blank", "sentence", "separators"]


@dataclass
class Drawn:
    """A dialect, and the keys of the mapping that state it."""

    delimiter: str
    encoding: str
    quoting: str
    newline: str
    decimal: str
    thousands: str
    currency: str
    date: str
    noise: list[str]
    totals: list[str]
    header: str
    trailing: bool
    stated: dict[str, str] = field(default_factory=dict)


def draw(rng: random.Random) -> Drawn:
    """Returns a drawn dialect that can hold the orders."""
    decimal = rng.choice(".,")
    drawn = Drawn(
        delimiter=rng.choice([",", ";", "\t", "|", "^", ",", ";"]),
        encoding=rng.choice(["utf-8", "utf-8-sig", "utf-16", "windows-1252", "latin-1", "utf-8"]),
        quoting=rng.choice(["minimal", "all", "nonnumeric", "single", "backslash", "minimal"]),
        newline=rng.choice(["\n", "\r\n", "\n", "\r\n", "\r"]),
        decimal=decimal,
        thousands=rng.choice(["", "", ",."[decimal == ","], " ", "'", "\xa0"]),
        currency=rng.choice(["%s", "%s", "%s \u20ac", "EUR %s", "$%s"]),
        date=rng.choice(list(DATES)),
        noise=rng.sample(NOISE, rng.choice([0, 0, 1, 3])),
        totals=rng.sample(TOTALS, rng.choice([0, 0, 1, 2])),
        header=rng.choice(["%s", "%s", " %s ", "\xa0%s", "upper"]),
        trailing=rng.random() < 0.2,
    )
    if drawn.newline == "\r":
        drawn.quoting = "all"  # Python quotes no line feed that doesn't end lines
    if drawn.encoding == "latin-1":
        drawn.currency = drawn.currency.replace("\u20ac", "EUR")
    code_page = drawn.encoding in ("windows-1252", "latin-1")
    options = {"encoding": drawn.encoding} if code_page and rng.random() < 0.8 else {}
    options |= {"decimal": decimal} if rng.random() < 0.3 else {}
    options |= {"times": DATES[drawn.date]} if DATES[drawn.date] and rng.random() < 0.3 else {}
    options |= {"delimiter": drawn.delimiter} if rng.random() < 0.2 else {}
    drawn.stated = options
    return drawn


def orders(rng: random.Random, lines: int) -> list[list[str | int | float | dt.datetime]]:
    """Returns order lines: order, time, customer, product, quantity, price, name, note."""
    start = dt.datetime(2026, rng.randrange(1, 12), 1)
    return [
        [
            f"A{1000 + line // 2}",
            start + dt.timedelta(minutes=(line // 2) * 97),
            f"C{line // 2 % 17:03}",
            f"P{rng.randrange(30):03}",
            rng.randrange(1, 5),
            rng.choice([round(rng.uniform(0.5, 90), 2), round(rng.uniform(1000, 2_000_000), 2)]),
            rng.choice(NAMES),
            rng.choice(NOTES),
        ]
        for line in range(lines)
    ]


def written(rows: list[list[object]], drawn: Drawn) -> bytes:
    """Returns the orders as the dialect writes them."""
    text = io.StringIO()
    quoting = {"all": csv.QUOTE_ALL, "nonnumeric": csv.QUOTE_NONNUMERIC}.get(drawn.quoting, csv.QUOTE_MINIMAL)
    escaping = {"doublequote": False, "escapechar": "\\"} if drawn.quoting == "backslash" else {}
    writer = csv.writer(
        text,
        delimiter=drawn.delimiter,
        quoting=quoting,
        quotechar="'" if drawn.quoting == "single" else '"',
        lineterminator=drawn.newline,
        **escaping,
    )
    for line in drawn.noise:
        text.write((line.replace("%s", drawn.delimiter)) + drawn.newline)
    names = [name.upper() if drawn.header == "upper" else drawn.header % name for name in COLUMNS]
    end = [""] if drawn.trailing else []
    writer.writerow(names + end)
    for row in rows:
        writer.writerow(_cells(row, drawn) + end)
    total = sum(float(row[5]) for row in rows)
    for kind in drawn.totals:
        if kind == "sentence":
            text.write(f"{len(rows)} rows exported{drawn.newline}")
        elif kind == "separators":
            text.write(drawn.delimiter * (len(COLUMNS) - 1 + len(end)) + drawn.newline)
        else:
            label = "Total" if kind == "label" else ""
            writer.writerow([label, "", "", "", "", _number(total, drawn), "", "", *end])
    return text.getvalue().encode(drawn.encoding)


def _cells(row: list[object], drawn: Drawn) -> list[object]:
    order, at, customer, product, quantity, price, name, note = row
    return [order, _time(at, drawn.date), customer, product, quantity, _number(price, drawn), name, note]


def _time(at: dt.datetime, date: str) -> str:
    if date in ("seconds", "milliseconds"):
        seconds = int(at.replace(tzinfo=dt.UTC).timestamp())
        return str(seconds * (1000 if date == "milliseconds" else 1))
    return at.strftime(date)


def _number(price: float, drawn: Drawn) -> str:
    text = f"{price:,.2f}".replace(",", "\0").replace(".", drawn.decimal).replace("\0", drawn.thousands)
    return drawn.currency % text
