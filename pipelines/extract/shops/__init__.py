"""Shops' own APIs: a profile says how to read one, an engine reads any."""
