"""The serving state: the champion's bundle, and everything that changed since it was trained."""
