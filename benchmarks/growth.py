"""How a cost grows with the size of its input."""

from collections.abc import Sequence

import numpy as np


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of the logarithms: Goldsmith, Aiken, Wilkerson (2007)."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
