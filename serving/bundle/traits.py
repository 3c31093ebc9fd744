"""The names of what the ranker knows, in the order in which arrays and model hold it."""

UNKNOWN = -1.0  # stands for a number that a customer or a purchase doesn't have

# Of a customer's purchases of a product; `UNKNOWN` where the customer never bought it. Days, but for orders.
PURCHASE = (
    "orders",
    "orders_7d",  # weighing by age, with a half-life of so many days
    "orders_30d",
    "orders_90d",
    "orders_365d",
    "since_last",
    "since_first",
    "gap",  # mean days between two purchases of the product
    "gap_in_visits",  # that gap in mean days between two visits
    "due",  # days since the last one, in gaps
    "share_of_visits",
    "season",  # purchases in the weeks around those to come, a year ago
    "quantity",  # logarithm of units of an order
    "in_last_visit",
)
# Of a customer; a visit is a day with purchases.
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
    "assortment",  # different products
    "repeats",  # share of lines that buy again
    "season_lines",  # lines in the weeks to come, a year ago
)
# Of a product; buyers are distinct customers.
PRODUCT = (
    "buyers",
    "buyers_3d",  # weighing by age, with a half-life of so many days
    "buyers_7d",
    "buyers_14d",
    "buyers_30d",
    "buyers_90d",
    "week",  # buyers of the last so many days
    "fortnight",
    "month",
    "quarter",
    "year",
    "month_before",
    "growth",
    "growth_quarter",
    "season_next",  # buyers in the four weeks to come, a year ago
    "season_now",  # in the four weeks before those
    "season_later",  # in the four weeks after those
    "season_ratio",
    "season_growth",
    "season_expected",  # this month's buyers, times last year's growth into the next
    "age",
    "since_sale",
    "buys_again",  # share of buyers with more than one visit
    "again_quarter",  # share of the lines of 90 days that are no first purchase
    "new_month",  # first purchases of 28 days
    "new_quarter",
    "units",  # mean logarithm of units of an order
)
PAIR = ("taste", "trending_taste", "bought_with", "basket_with", "trending_with")
FEATURE_NAMES = (*PURCHASE, *CUSTOMER, *PRODUCT, *PAIR)
