"""Inspection: looks at a source's files or at a shop's API, and writes a mapping that reads them."""
