"""Comparisons outside the nightly run: with published models, with samples, with and without merchandising rules."""
