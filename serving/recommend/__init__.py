"""Computes recommendations from a bundle's arrays."""
