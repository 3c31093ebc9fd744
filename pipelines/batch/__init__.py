"""Batch export: recommendations for all customers, or alternatives to all products, to a file or database."""
