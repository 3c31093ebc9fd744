"""Recommendations computed from a bundle's arrays."""
