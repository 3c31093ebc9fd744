"""The names of the ranker's features (traits), in the order of the bundle's arrays and of the model."""

UNKNOWN = -1.0  # the value of a feature that a customer or a purchase doesn't have

# Features of a customer's purchases of one product, in days unless stated; UNKNOWN if there are none.
PURCHASE = (
    "orders",
    "orders_7d",  # orders that decay with age; the number is the half-life in days
    "orders_30d",
    "orders_90d",
    "orders_365d",
    "since_last",
    "since_first",
    "gap",  # mean days between two purchases of the product
    "gap_in_visits",  # `gap` divided by the mean days between two visits
    "due",  # days since the last purchase, divided by `gap`
    "share_of_visits",
    "season",  # purchases a year before the coming four weeks, give or take two weeks
    "quantity",  # log(1 + units) of an order
    "in_last_visit",
)
# Features of a customer. A visit is a day with purchases.
CUSTOMER = (
    "visits",
    "visits_30d",
    "visits_90d",
    "since_visit",
    "tenure",
    "visit_gap",
    "visit_due",
    "basket",
    "last_basket",
    "assortment",  # distinct products
    "repeats",  # share of order lines that are repeat purchases
    "season_lines",  # order lines a year before the coming four weeks
)
# Features of a product. Buyers are distinct customers.
PRODUCT = (
    "buyers",
    "buyers_3d",  # buyers that decay with age; the number is the half-life in days
    "buyers_7d",
    "buyers_14d",
    "buyers_30d",
    "buyers_90d",
    "week",  # buyers of the last 7 days
    "fortnight",
    "month",
    "quarter",
    "year",
    "month_before",
    "growth",
    "growth_quarter",
    "season_next",  # buyers a year before the coming four weeks
    "season_now",  # buyers in the four weeks before those
    "season_later",  # buyers in the four weeks after those
    "season_ratio",
    "season_growth",
    "season_expected",  # this month's buyers times last year's growth from `season_now` to `season_next`
    "age",
    "since_sale",
    "buys_again",  # share of buyers with more than one visit
    "again_quarter",  # share of the order lines of 90 days that are repeat purchases
    "new_month",  # customers' first purchases of the product within 28 days
    "new_quarter",
    "units",  # mean log(1 + units) of an order
)
# Features of a customer and a product: inner products of factors, and cosines to what the customer bought.
PAIR = ("taste", "trending_taste", "bought_with", "basket_with", "trending_with")
FEATURE_NAMES = (*PURCHASE, *CUSTOMER, *PRODUCT, *PAIR)
