"""What the arrays of a bundle must be, so that no request meets a row or a column that isn't there."""

from serving.bundle import traits
from serving.bundle.format import (
    PER_GROUP_PRODUCT,
    PER_PRODUCT,
    PER_PURCHASE,
    PER_RULE,
    Array,
    Bundle,
)
from serving.errors import BundleError

ROWS_AT_ONCE = 100_000
TEXTS = ("customers", "products", "name", "category", "brand", "groups")
# Kinds of numpy's types, for arrays that hold no real numbers.
KINDS = (
    dict.fromkeys(TEXTS, "S")
    | dict.fromkeys(("in_stock", "hidden", "new", "rule_complement"), "b")
    | dict.fromkeys(("history_start", "group_start", "rule_start", "triple_key", "recent"), "i")
    | dict.fromkeys(("history_product", "history_orders", "history_last", "group_product"), "i")
    | dict.fromkeys(("neighbours", "basket_neighbours", "leading"), "i")
    | dict.fromkeys(("rule_consequent", "triple_consequent", "rule_count", "triple_count"), "i")
    | {"ranker": "u"}
)
TABLES = (
    *("recent", "user_factors", "item_factors", "content_factors", "history_traits", "customer_traits"),
    *("product_traits", "neighbours", "neighbour_cosine", "basket_neighbours", "basket_cosine"),
)
PRODUCT_ROWS = (
    *("history_product", "group_product", "neighbours", "basket_neighbours", "leading"),
    *("rule_consequent", "triple_consequent"),
)
STARTS = ("history_start", "group_start", "rule_start")
SORTED = ("customers", "products", "groups")
SAME_WIDTH = (
    ("user_factors", "item_factors"),
    ("neighbours", "neighbour_cosine"),
    ("basket_neighbours", "basket_cosine"),
)
WIDTHS = {
    "history_traits": len(traits.PURCHASE),
    "customer_traits": len(traits.CUSTOMER),
    "product_traits": len(traits.PRODUCT),
}


def check_type(name: str, array: Array) -> None:
    """Raises BundleError if an array has another type or number of dimensions than it must."""
    _require(array.dtype.kind == KINDS.get(name, "f"), name, "has another type")
    _require(array.ndim == 1 + (name in TABLES), name, "has another number of dimensions")


def check(bundle: Bundle) -> None:
    """Raises BundleError, naming the array, if arrays don't fit together or name rows that aren't there."""
    _check_starts(bundle)
    _check_lengths(bundle)
    _check_columns(bundle)
    _check_values(bundle)


def _check_starts(bundle: Bundle) -> None:
    for name in STARTS:
        starts = getattr(bundle, name)
        rises = len(starts) and starts[0] == 0 and bool((starts[1:] >= starts[:-1]).all())
        _require(rises, name, "doesn't start at 0 and rise")


def _check_lengths(bundle: Bundle) -> None:
    customers, products = len(bundle.customers), len(bundle.products)
    expected = {"history_start": customers + 1, "user_factors": customers, "rule_start": products + 1}
    expected["group_start"] = len(bundle.groups) + 1
    expected["customer_traits"] = customers
    expected |= dict.fromkeys(PER_PRODUCT, products)
    expected |= dict.fromkeys(PER_PURCHASE, int(bundle.history_start[-1]))
    expected |= dict.fromkeys(PER_GROUP_PRODUCT, int(bundle.group_start[-1]))
    expected |= {f"rule_{name}": int(bundle.rule_start[-1]) for name in (*PER_RULE, "complement")}
    expected |= {f"triple_{name}": len(bundle.triple_key) for name in PER_RULE}
    for name, length in expected.items():
        rows = len(getattr(bundle, name))
        _require(rows == length, name, f"has {rows} rows, not {length}")


def _check_columns(bundle: Bundle) -> None:
    _require(bundle.recent.shape[1] == len(bundle.products), "recent", "has no column for each product")
    for one, other in SAME_WIDTH:
        same = getattr(bundle, one).shape[1] == getattr(bundle, other).shape[1]
        _require(same, one, f"has another number of columns than {other}")
    for name, width in WIDTHS.items():
        # Without a model nothing reads them; the compiled code that does checks no index.
        widths = (width,) if len(bundle.ranker) else (0, width)
        _require(getattr(bundle, name).shape[1] in widths, name, "has other columns than this release")


def _check_values(bundle: Bundle) -> None:
    products = len(bundle.products)
    for name in PRODUCT_ROWS:
        _require(_within(getattr(bundle, name), products), name, "names a product that isn't there")
    keys = bundle.triple_key
    _require(_within(keys, products**2), "triple_key", "names a product that isn't there")
    _require((keys[1:] >= keys[:-1]).all(), "triple_key", "isn't sorted")
    for name in TEXTS:
        _require(_is_text(getattr(bundle, name)), name, "isn't UTF-8")
    for name in SORTED:
        ids = getattr(bundle, name)
        _require((ids[1:] > ids[:-1]).all(), name, "isn't sorted")


def _is_text(values: Array) -> bool:
    """Returns whether all values are UTF-8; decodes many at once, since a million alone take a second."""
    steps = range(0, len(values), ROWS_AT_ONCE)
    try:
        for start in steps:
            b"\n".join(values[start : start + ROWS_AT_ONCE].tolist()).decode()
    except UnicodeDecodeError:
        return False
    return True


def _within(rows: Array, end: int) -> bool:
    return bool(rows.min(initial=0) >= 0 and rows.max(initial=-1) < end)


def _require(condition: object, name: str, problem: str) -> None:
    if not condition:
        raise BundleError(f"{name} of the bundle {problem}: promote another version")
