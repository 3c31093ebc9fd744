"""Gate 1: which order lines are good, and whether the night is."""
