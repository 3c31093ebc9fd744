"""The HTTP service: it answers requests from the champion's bundle."""
