"""The bundle: everything that answers a request, as one directory of plain arrays."""
