"""Erases customers who asked to be forgotten."""
