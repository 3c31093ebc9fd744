"""The HTTP interface: routes, request and response formats, pages."""
