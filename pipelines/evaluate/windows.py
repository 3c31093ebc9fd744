"""The global cut in time that separates known purchases from those to predict."""

import datetime as dt
from dataclasses import dataclass

from pipelines.prepare.interactions import Interactions, day_number
from serving.errors import NightshelfError

SHARE_OF_HISTORY = 5  # a window gets at most a fifth of the days, so three fifths are left for training


@dataclass(frozen=True)
class Windows:
    """The last day (since 1970) of training, of the validation window and of the test window."""

    train: int
    validation: int
    test: int


def windows(known: Interactions, as_of: dt.date, horizon_days: int) -> Windows:
    """Returns validation and test windows of `horizon_days` each, the test window ending with `as_of`.

    A short history gets shorter windows. Raises NightshelfError below SHARE_OF_HISTORY days.

    With ten days of purchases a window has at most two days:

    >>> import numpy as np
    >>> days, zeros = np.arange(10), np.zeros(10, np.int64)
    >>> ids = np.array([b"a"])
    >>> known = Interactions(ids, ids, zeros, zeros, days, np.ones(10), np.zeros(10), np.ones(10, np.int64))
    >>> windows(known, dt.date(1970, 1, 10), horizon_days=28)
    Windows(train=5, validation=7, test=9)
    """
    last = day_number(as_of)
    history = last - int(known.day.min(initial=last)) + 1
    horizon = min(horizon_days, history // SHARE_OF_HISTORY)
    if horizon < 1:
        raise NightshelfError(
            f"{history} days of orders up to {as_of} are too few to train on and to test on:"
            f" at least {SHARE_OF_HISTORY} are needed"
        )
    return Windows(last - 2 * horizon, last - horizon, last)


def folds(cut: Windows, count: int, first_day: int) -> list[tuple[int, int]]:
    """Returns the last days of training and of validation of each fold, the latest fold first.

    A fold ends where the validation window of the later fold begins. A fold with no more than a window to
    train on is left out, except the latest. first_day: the first day of the history.

    >>> folds(Windows(train=5, validation=7, test=9), count=3, first_day=0)
    [(5, 7), (3, 5)]
    >>> folds(Windows(train=5, validation=7, test=9), count=3, first_day=2)
    [(5, 7)]
    """
    horizon = cut.validation - cut.train
    ends = [cut.validation - number * horizon for number in range(count)]
    return [(end - horizon, end) for end in ends if end == cut.validation or end - 2 * horizon >= first_day]
