"""Recommendations for all customers or products at once, written to files or databases."""
