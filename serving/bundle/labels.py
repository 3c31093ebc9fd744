"""Texts that many products share, as numbers: categories, brands."""

from dataclasses import dataclass

import numpy as np

from serving.bundle.highest import Array

NO_LABEL = -1


@dataclass(frozen=True)
class Labels:
    """Under which of some texts each of P products is."""

    code_of: dict[bytes, int]  # of each text
    codes: Array  # (P,) int32, NOTHING where a product has none

    @classmethod
    def of(cls, texts: Array) -> "Labels":
        """The numbers of P texts; an empty one is none. Hashed, since sorting a million takes seconds."""
        own = texts.tolist()
        numbers = {text: number for number, text in enumerate(dict.fromkeys(own)) if text}
        found = np.fromiter((numbers.get(text, NO_LABEL) for text in own), np.int32, len(own))
        return cls(numbers, found)

    def mask(self, text: str) -> Array:
        """True for the products of a text, (P,) bool; for none where no product has it."""
        number = self.code_of.get(text.encode())
        return np.zeros(len(self.codes), bool) if number is None else self.codes == number
