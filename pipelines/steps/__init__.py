"""The steps of a nightly run, one module each: a step reads tables, calls the rooms that do the work, writes tables."""
