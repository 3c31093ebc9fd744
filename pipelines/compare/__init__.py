"""Comparisons outside the nightly run: published models, samples, merchandising rules."""
