"""Model components: each module fits one of them and returns arrays of the bundle."""
