"""The steps of a nightly run, one module each: a step reads tables, calls other packages, writes tables."""
