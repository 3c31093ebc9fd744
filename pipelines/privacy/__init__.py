"""Erasing customers who asked to be forgotten."""
