"""Every column name once."""

# orders, one row per order line; ids are strings everywhere
ORDER_ID = "order_id"
LINE = "line"
ORDERED_AT = "ordered_at"
CUSTOMER = "customer"
PRODUCT = "product"
QUANTITY = "quantity"
UNIT_PRICE = "unit_price"

# products
NAME = "name"
CATEGORY = "category"
BRAND = "brand"
PRICE = "price"
IN_STOCK = "in_stock"

# where a raw row came from
SOURCE = "source"
PAGE = "page"
EXTRACTED_AT = "extracted_at"

# quarantine
RULE = "rule"
RUN = "run"

# interactions and baskets
DAY = "day"
RETURNED = "returned"
ORDERS = "orders"
PRODUCTS = "products"

# rules
ANTECEDENT = "antecedent"
CONSEQUENT = "consequent"
CONFIDENCE = "confidence"
LIFT = "lift"
SUPPORT = "support"
COUNT = "count"
ITEMS = "items"
FREQ = "freq"

# batch output
RANK = "rank"
SCORE = "score"
