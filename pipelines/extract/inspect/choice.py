"""Chooses the source's column for each of ours, by its name in many languages and by its values."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from pipelines import columns as c
from pipelines.extract.inspect.values import Evidence, evidence
from pipelines.extract.inspect.words import STRONG, name_score

SURE, ENOUGH = 0.6, 0.45
EMAIL, PHONE = "email", "phone"


@dataclass
class Columns:
    """The evidence of all columns, and the column chosen for each of ours."""

    seen: dict[str, Evidence]
    lines: str  # prefix of the columns of a line in nested or packed orders; "" if every row is a line
    chosen: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    def free(self) -> list[Evidence]:
        """Returns the evidence of the columns that aren't chosen yet."""
        return [seen for name, seen in self.seen.items() if name not in self.chosen.values()]

    def own(self, name: str) -> str:
        """Returns a column's name without the prefix of the lines."""
        return name.removeprefix(self.lines) if self.lines else name

    def of_line(self, name: str) -> bool:
        """Returns whether a column may belong to a line rather than to an order."""
        return not self.lines or name.startswith(self.lines)

    def of_order(self, name: str) -> bool:
        """Returns whether a column may belong to an order rather than to a line."""
        return not self.lines or not name.startswith(self.lines)


def choose(frame: "pd.DataFrame", lines: str) -> Columns:
    """Returns the column for each of ours, as far as names and values show it."""
    columns = Columns({str(name): evidence(frame[name]) for name in frame.columns}, lines)
    _take(columns, c.ORDERED_AT, _time, columns.of_order)
    _take(columns, c.ORDER_ID, _order_id, columns.of_order)
    _take_customer(columns)
    _take(columns, c.PRODUCT, _product, columns.of_line)
    _take(columns, c.QUANTITY, _quantity, columns.of_line)
    _take_price(columns, frame)
    _take(columns, c.NAME, _text, columns.of_line)
    _take(columns, c.CATEGORY, _text, columns.of_line)
    _take(columns, c.BRAND, _text, columns.of_line)
    _take(columns, c.GROUP, _region, columns.of_order)
    _take(columns, c.CHANGED_AT, _time, columns.of_order)
    _name_as_product(columns)
    return columns


Fit = Callable[[Evidence, float], float]  # from the values and the name's score: 0 to 1.5


def _take(columns: Columns, kind: str, fit: Fit, may_be: Callable[[str], bool]) -> None:
    candidates = ranked(columns, kind, fit, (seen for seen in columns.free() if may_be(seen.name)))
    if candidates and candidates[0][0] >= ENOUGH:
        columns.scores[kind], columns.chosen[kind] = candidates[0]


def ranked(columns: Columns, kind: str, fit: Fit, candidates: Iterable[Evidence]) -> list[tuple[float, str]]:
    """Returns the score and the name of each column that may be of a kind, the best first."""
    scored = []
    for position, seen in enumerate(candidates):
        by_name = max(
            name_score(columns.own(seen.name), kind), name_score(_last(columns, seen.name), kind) * 0.9
        )
        score = fit(seen, by_name)
        if score > 0:
            scored.append((score, -position, seen.name))
    return [(score, name) for score, _, name in sorted(scored, reverse=True)]


def _last(columns: Columns, name: str) -> str:
    """Returns the last step of a path."""
    return columns.own(name).rpartition(".")[2]


def _time(seen: Evidence, by_name: float) -> float:
    if not seen.is_time or (not seen.is_written_time and by_name < ENOUGH):
        return 0.0
    return by_name + 0.2 * min(1.0, seen.filled * 2)


def _order_id(seen: Evidence, by_name: float) -> float:
    if seen.is_written_time or seen.email > 0.5 or seen.distinct < 2 or (seen.is_number and seen.whole < 1):
        return 0.0
    if seen.order_mark > 0.9:
        return max(by_name, STRONG) + 0.05
    return by_name


def _product(seen: Evidence, by_name: float) -> float:
    if seen.is_written_time or seen.email > 0.5 or seen.distinct < 2 or (seen.is_number and seen.whole < 1):
        return 0.0
    is_sku = 0.05 if "sku" in seen.name.lower() else 0.0
    return by_name * (0.6 + 0.4 * seen.filled) + is_sku if by_name else 0.0


def _quantity(seen: Evidence, by_name: float) -> float:
    if not seen.is_number or seen.median > 10_000:
        return 0.0
    looks_like = seen.whole > 0.95 and abs(seen.median) <= 20
    return by_name + (0.1 if looks_like else -0.1 if by_name < STRONG else 0.0) if by_name else 0.0


def _money(seen: Evidence, by_name: float) -> float:
    return by_name if seen.number > 0.9 and seen.filled > 0.05 else 0.0


def _text(seen: Evidence, by_name: float) -> float:
    if seen.is_time or seen.is_number or seen.letters < 0.5 or seen.distinct < 2 or seen.status >= 0.5:
        return 0.0
    return by_name


def _region(seen: Evidence, by_name: float) -> float:
    return _text(seen, by_name) if seen.distinct <= 2_000 and seen.unique < 0.9 else 0.0


def _id(seen: Evidence, by_name: float) -> float:
    if seen.is_written_time or seen.distinct < 2 or (seen.is_number and seen.whole < 1):
        return 0.0
    return by_name


def _address(seen: Evidence, by_name: float) -> float:
    return (by_name or 0.5) + 0.2 if seen.email > 0.6 else 0.0


def _phone(seen: Evidence, by_name: float) -> float:
    return by_name + 0.1 if seen.phone > 0.6 and by_name else 0.0


def _take_customer(columns: Columns) -> None:
    """Chooses the customer's own id, or the e-mail address or number where more of the orders have it."""
    best: dict[str, tuple[float, str]] = {}
    for kind, fit in ((c.CUSTOMER, _id), (EMAIL, _address), (PHONE, _phone)):
        candidates = ranked(
            columns, kind, fit, [seen for seen in columns.free() if columns.of_order(seen.name)]
        )
        if candidates and candidates[0][0] >= ENOUGH:
            best[kind] = candidates[0]
    if not best:
        return
    # The customer's own id wins unless another column knows many more of the customers.
    known = {kind: 1 - columns.seen[name].nobody for kind, (_, name) in best.items()}
    kind = max(best, key=lambda kind: (round(known[kind] * 20), kind == c.CUSTOMER, kind == EMAIL))
    if c.CUSTOMER in best and known[kind] - known[c.CUSTOMER] < 0.05:
        kind = c.CUSTOMER
    columns.scores[c.CUSTOMER], columns.chosen[c.CUSTOMER] = best[kind]


def _take_price(columns: Columns, frame: "pd.DataFrame") -> None:
    """Chooses the price of a piece, or else the amount of a line.

    Where the name leaves it open, the values decide.
    """
    free = [seen for seen in columns.free() if columns.of_line(seen.name)]
    prices = ranked(columns, c.UNIT_PRICE, _money, free)
    amounts = ranked(columns, c.AMOUNT, _money, free)
    best = max([*prices[:1], *amounts[:1]], default=(0.0, ""))
    if best[0] < ENOUGH:
        return
    kind = c.UNIT_PRICE if prices and prices[0] == best else c.AMOUNT
    is_amount = grows_with_quantity(frame, best[1], columns.chosen)
    if is_amount is not None and (best[0] < SURE or kind == c.UNIT_PRICE):
        kind = c.AMOUNT if is_amount else c.UNIT_PRICE
    if c.QUANTITY not in columns.chosen and kind == c.AMOUNT and best[0] < SURE:
        kind = c.UNIT_PRICE
    columns.scores[kind], columns.chosen[kind] = best


def grows_with_quantity(frame: "pd.DataFrame", column: str, chosen: dict[str, str]) -> bool | None:
    """Returns whether a product's money grows with the quantity, as a line's amount does.

    Returns None where too few products were bought in several quantities to see it.
    """
    if c.QUANTITY not in chosen or c.PRODUCT not in chosen:
        return None
    rows = pd.DataFrame(
        {
            "product": frame[chosen[c.PRODUCT]],
            "n": _plain(frame[chosen[c.QUANTITY]]),
            "money": _plain(frame[column]),
        }
    )
    rows = rows[(rows["n"] > 0) & (rows["money"] > 0)].dropna()
    several = rows.groupby("product").filter(lambda lines: lines["n"].nunique() > 1)
    if several["product"].nunique() < 3 or len(several) < 20:
        return None
    several = several.assign(piece=several["money"] / several["n"])
    spread = several.groupby("product")[["money", "piece"]].agg(_spread)
    money, piece = spread["money"].median(), spread["piece"].median()
    if max(money, piece) < 1.5 * min(money, piece):
        return None
    return bool(piece < money)


def _spread(values: "pd.Series[float]") -> float:
    return float(values.std() / values.mean())


def _plain(column: "pd.Series[str]") -> "pd.Series[float]":
    """Returns the numbers of a column, whatever their decimal sign."""
    text = column.fillna("").str.replace(r"[^\d.,\-]", "", regex=True)
    comma = text.str.contains(r",\d{1,2}$").mean() > 0.05
    text = (
        text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        if comma
        else text.str.replace(",", "")
    )
    return pd.to_numeric(text, "coerce")


def _name_as_product(columns: Columns) -> None:
    """Lets a product without an id be known by its name."""
    if c.PRODUCT not in columns.chosen and c.NAME in columns.chosen:
        columns.chosen[c.PRODUCT] = columns.chosen[c.NAME]
        columns.scores[c.PRODUCT] = columns.scores[c.NAME] / 2
