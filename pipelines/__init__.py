"""The steps of a night: plain functions over tables."""
