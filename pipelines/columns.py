"""The column names of all tables, and the form of the dates in `ordered_at`."""

# orders, one row per order line; ids are strings everywhere
ORDER_ID = "order_id"
LINE = "line"
ORDERED_AT = "ordered_at"
CUSTOMER = "customer"
PRODUCT = "product"
QUANTITY = "quantity"
UNIT_PRICE = "unit_price"
AMOUNT = "amount"  # the price of all pieces of a line; sources state it instead of unit_price
CHANGED_AT = "changed_at"  # when the shop changed the order last; null if the source doesn't say
GROUP = "group"  # the customer's region or country; null if the mapping of the source names no such column

ISO_DAY = r"^\d{4}-\d\d-\d\d"  # regular expression: how a readable `ordered_at` begins in raw/
ISO_DAY_LENGTH = len("2026-01-31")

# products
NAME = "name"
CATEGORY = "category"
BRAND = "brand"
PRICE = "price"
IN_STOCK = "in_stock"
WEIGHT = "weight"  # the value of one sale relative to other products, such as its margin; 1 is typical
PLACEHOLDER = "placeholder"  # whether orders name the product although the catalogue lacks it
HIDDEN = "hidden"  # whether one of the shop's rules excludes the product from recommendations

# origin of a raw row
SOURCE = "source"
PAGE = "page"
EXTRACTED_AT = "extracted_at"
LEFT_OUT = "left_out"  # the reason of the mapping's rule that leaves the line out; null for the others
FAULT = "fault"  # why the line couldn't be read; null if it could
SEEN_ON = "seen_on"  # the first day on which a product had this state

# quarantine
RULE = "rule"
RUN = "run"
REASON = "reason"
RELEASED_AT = "released_at"

# interactions and baskets
DAY = "day"
RETURNED = "returned"
ORDERS = "orders"
PRODUCTS = "products"

# association rules
ANTECEDENT = "antecedent"
SECOND_ANTECEDENT = "second_antecedent"  # null for a rule with one antecedent
CONSEQUENT = "consequent"
CONFIDENCE = "confidence"
LIFT = "lift"
SUPPORT = "support"
COUNT = "count"
COMPLEMENT = "complement"  # whether the consequent is a significant complement of each antecedent
ITEMS = "items"
FREQ = "freq"

# batch output
LANE = "lane"
RANK = "rank"
SCORE = "score"
SIMILAR = "similar"  # the id of an alternative to the product
