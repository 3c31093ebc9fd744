"""What a user can cause and mend; shown as one line, never as a traceback."""


class NightshelfError(Exception):
    """Says what is wrong, where, and what to do, in one sentence a user can act on."""


class BundleError(NightshelfError):
    """A bundle is missing, truncated, tampered with or of another format."""


class RegistryError(NightshelfError):
    """The registry can't be reached, or holds nothing to serve."""
