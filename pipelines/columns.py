"""Every column name once."""

# orders, one row per order line; ids are strings everywhere
ORDER_ID = "order_id"
LINE = "line"
ORDERED_AT = "ordered_at"
CUSTOMER = "customer"
PRODUCT = "product"
QUANTITY = "quantity"
UNIT_PRICE = "unit_price"
GROUP = "group"  # of customers: a country, a region; null where the source maps none

# products
NAME = "name"
CATEGORY = "category"
BRAND = "brand"
PRICE = "price"
IN_STOCK = "in_stock"
WEIGHT = "weight"  # what a sale is worth beside others: a margin; 1 is like most
PLACEHOLDER = "placeholder"  # whether orders name the product and the catalogue lacks it
HIDDEN = "hidden"  # whether a rule of the shop excludes the product from what is recommended

# where a raw row came from
SOURCE = "source"
PAGE = "page"
EXTRACTED_AT = "extracted_at"
FAULT = "fault"  # what is wrong with a line that couldn't be read; null where it could
SEEN_ON = "seen_on"  # the day that a state of a product was seen first

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

# rules
ANTECEDENT = "antecedent"
SECOND_ANTECEDENT = "second_antecedent"  # null for a rule of one product
CONSEQUENT = "consequent"
CONFIDENCE = "confidence"
LIFT = "lift"
SUPPORT = "support"
COUNT = "count"
COMPLEMENT = "complement"  # whether the consequent surely goes with each antecedent
ITEMS = "items"
FREQ = "freq"

# batch output
LANE = "lane"
RANK = "rank"
SCORE = "score"
SIMILAR = "similar"  # an alternative to a product
