"""Who a customer is: the shop's id in its many spellings, and the pseudonym that stands for it."""

import hashlib
import hmac
import re

PHONE = re.compile(r"\+?[\d\s().\-]+")
HIDDEN = "pseudonym:"  # begins a customer in rows as received who came without an own id
TOLD = re.compile(rf"{HIDDEN}([0-9a-f]{{64}})")
PHONE_DIGITS = range(10, 16)  # E.164 allows 15; ten is the shortest national number with its area


def normalise(customer: str) -> str:
    """One spelling of a customer's id: digits only for a phone number, trimmed text for all else.

    >>> normalise("+7(916)539-6205"), normalise("79165396205"), normalise(" C-17 ")
    ('79165396205', '79165396205', 'C-17')
    """
    text = customer.strip()
    digits = re.sub(r"\D", "", text)
    return digits if PHONE.fullmatch(text) and len(digits) in PHONE_DIGITS else text


def pseudonym(customer: str, key: str) -> str:
    """The 64 hex digits that stand for a customer: HMAC-SHA256 over the normalised id."""
    return hidden(normalise(customer), key)


def asked(customer: str, key: str) -> str:
    """The pseudonym of a customer in a question, who may be named by it: `pseudonym:` and its 64 digits."""
    found = TOLD.fullmatch(customer)
    return found[1] if found else pseudonym(customer, key)


def received(customer: str, key: str) -> str | None:
    """The pseudonym of a customer in a row as received; None of who is nobody."""
    if customer.startswith(HIDDEN):
        return customer.removeprefix(HIDDEN)
    return pseudonym(customer, key) if normalise(customer) else None


def hidden(text: str, key: str) -> str:
    """The 64 hex digits that stand for a text, just as it is written."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
