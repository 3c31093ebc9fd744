"""Labels that many products share, such as categories and brands, encoded as integers."""

from dataclasses import dataclass

import numpy as np

from serving.bundle.highest import Array

NO_LABEL = -1


@dataclass(frozen=True)
class Labels:
    """One label for each of P products, as integer codes."""

    code_of: dict[bytes, int]  # the code of each label
    codes: Array  # (P,) int32, NO_LABEL where a product has no label

    @classmethod
    def of(cls, texts: Array) -> "Labels":
        """Encodes P texts, (P,) bytes; an empty text is no label.

        Hashes the texts, because sorting a million of them takes seconds.
        """
        labels = texts.tolist()
        code_of = {label: code for code, label in enumerate(dict.fromkeys(labels)) if label}
        codes = np.fromiter((code_of.get(label, NO_LABEL) for label in labels), np.int32, len(labels))
        return cls(code_of, codes)

    def mask(self, label: str) -> Array:
        """Returns True for each product with this label, (P,) bool."""
        code = self.code_of.get(label.encode())
        return np.zeros(len(self.codes), bool) if code is None else self.codes == code
