"""A global cut in time: what was known before it, and what happened after."""

import datetime as dt
from dataclasses import dataclass

from pipelines.prepare.interactions import Interactions, day_number
from serving.errors import NightshelfError

SHARE_OF_HISTORY = 5  # a window takes at most a fifth of the days, so that training keeps three


@dataclass(frozen=True)
class Windows:
    """The last day, since 1970, of training, of validation and of the test."""

    train: int
    validation: int
    test: int


def windows(known: Interactions, as_of: dt.date, horizon_days: int) -> Windows:
    """Where validation and test begin and end, for windows of at most `horizon_days`.

    A short history gets shorter windows. Raises NightshelfError where there is too little to cut.
    """
    last = day_number(as_of)
    history = last - int(known.day.min(initial=last)) + 1
    horizon = min(horizon_days, history // SHARE_OF_HISTORY)
    if horizon < 1:
        raise NightshelfError(
            f"{history} days of orders up to {as_of} are too few to learn from and to test on:"
            f" at least {SHARE_OF_HISTORY} are needed"
        )
    return Windows(last - 2 * horizon, last - horizon, last)


def folds(cut: Windows, count: int, first_day: int) -> list[tuple[int, int]]:
    """The last days of training and of validation of each fold, the latest first.

    Each ends where the one after it begins to be validated; those that would leave less to learn from than
    a window are left out, but for the first.
    """
    horizon = cut.validation - cut.train
    ends = [cut.validation - number * horizon for number in range(count)]
    return [(end - horizon, end) for end in ends if end == cut.validation or end - 2 * horizon >= first_day]
