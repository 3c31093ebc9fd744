"""A shop with a known truth, and its REST API."""
