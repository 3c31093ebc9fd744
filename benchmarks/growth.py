"""How a cost grows with the size of its input."""

from collections.abc import Sequence

import numpy as np


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Returns the exponent b of the fitted power law cost = a * size ** b.

    It is the slope of log(cost) over log(size): Goldsmith, Aiken, Wilkerson (2007).

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
