"""The tables of a shop (the lake), and Spark, which computes on them."""
