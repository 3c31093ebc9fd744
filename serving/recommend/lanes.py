"""The lanes: the kinds of recommendation that a request can name."""

from typing import Literal, get_args

Lane = Literal["for-you", "buy-again", "discover"]  # anything; bought before; never bought by the customer

LANES: tuple[Lane, ...] = get_args(Lane)
