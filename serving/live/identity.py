"""Customer ids: normalising the shop's spellings, and the pseudonyms that replace them."""

import hashlib
import hmac
import re

PHONE = re.compile(r"\+?[\d\s().\-]+")
PSEUDONYM_PREFIX = "pseudonym:"  # marks a customer id that is a pseudonym already
PREFIXED_PSEUDONYM = re.compile(rf"{PSEUDONYM_PREFIX}([0-9a-f]{{64}})")
PHONE_DIGITS = range(10, 16)  # E.164 allows 15; ten is the shortest national number with its area code


def normalise(customer: str) -> str:
    """Returns one spelling of a customer id: only the digits of a phone number, any other text trimmed.

    >>> normalise("+7(916)539-6205"), normalise("79165396205"), normalise(" C-17 ")
    ('79165396205', '79165396205', 'C-17')
    """
    text = customer.strip()
    digits = re.sub(r"\D", "", text)
    return digits if PHONE.fullmatch(text) and len(digits) in PHONE_DIGITS else text


def pseudonym(customer: str, key: str) -> str:
    """Returns a customer's pseudonym: 64 hex digits, the HMAC-SHA256 of the normalised id."""
    return keyed_hash(normalise(customer), key)


def requested_pseudonym(customer: str, key: str) -> str:
    """Returns the pseudonym of a customer named in a request.

    customer: the shop's id, or `pseudonym:` and the pseudonym's 64 digits.
    """
    match = PREFIXED_PSEUDONYM.fullmatch(customer)
    return match[1] if match else pseudonym(customer, key)


def row_pseudonym(customer: str, key: str) -> str | None:
    """Returns the pseudonym of a customer in a raw row, or None for an anonymous visitor.

    customer: the shop's id, or a pseudonym behind `pseudonym:`.
    """
    if customer.startswith(PSEUDONYM_PREFIX):
        return customer.removeprefix(PSEUDONYM_PREFIX)
    return pseudonym(customer, key) if normalise(customer) else None


def keyed_hash(text: str, key: str) -> str:
    """Returns the HMAC-SHA256 (RFC 2104) of a text, which is not normalised: 64 hex digits."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
