"""Customer ids: one canonical spelling per person, whose ids are nobody's, and pseudonyms.

The rule of a source says what its customer ids are. Each spelling of one id has one canonical form, and the
pseudonym is a keyed hash of it. RULE_VERSION grows whenever a canonical form changes.
"""

import hashlib
import hmac
import re
import unicodedata
from functools import lru_cache
from typing import Literal

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number,
    parse,
)

from serving.toml import FrozenModel

RULE_VERSION = 2
PSEUDONYM_PREFIX = "pseudonym:"  # marks a customer id that is a pseudonym already
PREFIXED_PSEUDONYM = re.compile(rf"{PSEUDONYM_PREFIX}([0-9a-f]{{64}})")
EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
PHONE = re.compile(r"(\+|00)?[\d\s().\-/\u00a0]+")
PHONE_DIGITS = range(10, 16)  # E.164 allows 15; ten is the shortest national number with its area code
WHOLE_FLOAT = re.compile(r"(\d+)\.0+")  # how a spreadsheet writes an id: 13085.0
# Ids that stand for nobody: what is blank, zero, punctuation or one digit repeated, words for a guest, and
# addresses of nobody. A regular expression of Python and of Java.
NOBODY_WORDS = (
    r"n/?a|nan|nil|none|null|\(null\)|undefined|unknown|not[ _-]?set|no[ _-]?customer|"
    r"guests?|anonymous|anonym|anon|visitor|gast|invité|invitado|ospite|гость"
)
NOBODY_NUMBERS = r"0*(\.0+)?|[-?.]+|(" + "|".join(f"{digit}{{5,}}" for digit in range(1, 10)) + r")(\.0+)?"
NOBODY = (
    rf"(?i:^\s*({NOBODY_NUMBERS}|{NOBODY_WORDS})\s*$)"
    r"|(?i:^\s*(guest|anonymous|anonym|noreply|no-reply|unknown|none|null|nobody)@)"
)


class IdentityRule(FrozenModel):
    """What the customer ids of a source are.

    kind: auto recognises e-mail addresses and telephone numbers by their form; all else is a plain id.
    """

    kind: Literal["auto", "id", "email", "phone"] = "auto"
    country: str = ""  # two letters, of telephone numbers without a country code
    nobody: tuple[str, ...] = ()  # ids of this shop that stand for nobody, besides those of NOBODY


AUTO = IdentityRule()


def canonical(customer: str, rule: IdentityRule = AUTO) -> str:
    """Returns the one spelling of a customer id; "" if it is nobody's.

    An e-mail address is trimmed, normalised (NFKC) and case-folded. A telephone number becomes its digits
    with the country code (E.164 without the plus sign). A plain id is trimmed and normalised (NFC).

    >>> canonical("+7 (916) 539-62-05"), canonical("8 916 539-62-05", IdentityRule(country="RU"))
    ('79165396205', '79165396205')
    >>> canonical(" Anna@Shop.Example "), canonical("13085.0"), canonical(" C-17 "), canonical("guest")
    ('anna@shop.example', '13085', 'C-17', '')
    """
    text = unicodedata.normalize("NFC", customer).strip()
    if is_nobody(text, rule):
        return ""
    if rule.kind in ("auto", "email") and EMAIL.fullmatch(text):
        return unicodedata.normalize("NFKC", text).strip().casefold()
    if rule.kind in ("auto", "phone") and (phone := _phone(text, rule)):
        return phone
    whole = WHOLE_FLOAT.fullmatch(text)
    return whole[1] if whole else text


def is_nobody(customer: str, rule: IdentityRule = AUTO) -> bool:
    """Returns whether an id stands for nobody: an anonymous visitor or a guest, but no customer."""
    return re.search(nobody_pattern(rule), customer) is not None


@lru_cache
def nobody_pattern(rule: IdentityRule) -> str:
    """Returns the regular expression, of Python and of Java, of all ids that stand for nobody."""
    return "|".join([NOBODY, *(rf"(?i:^\s*{re.escape(text.strip())}\s*$)" for text in rule.nobody)])


def _phone(text: str, rule: IdentityRule) -> str | None:
    """Returns the digits of a telephone number with its country code, or None if the text is none.

    A number without a country code needs the rule's country. Two people behind one switchboard differ by
    their extension.
    """
    digits = re.sub(r"\D", "", text)
    looks_like = PHONE.fullmatch(text) is not None and len(digits) in PHONE_DIGITS
    if rule.kind == "auto" and (not looks_like or (text.isdecimal() and not rule.country)):
        return None
    if (number := _parsed(text, rule.country.upper())) and (rule.kind == "phone" or is_valid_number(number)):
        extension = f"x{number.extension}" if number.extension else ""
        return format_number(number, PhoneNumberFormat.E164)[1:] + extension
    return digits if rule.kind == "phone" and looks_like else None


def _parsed(text: str, country: str) -> PhoneNumber | None:
    """Returns a telephone number of a possible length, or None."""
    international = re.sub(r"^00", "+", text)
    spelling = international if country or international.startswith("+") else f"+{text}"
    try:
        number = parse(spelling, country or None)
    except NumberParseException:
        return None
    return number if is_possible_number(number) else None


def pseudonym(customer: str, key: str, rule: IdentityRule = AUTO) -> str:
    """Returns a customer's pseudonym: 64 hex digits, the HMAC-SHA256 of the canonical id."""
    return keyed_hash(canonical(customer, rule), key)


def requested_pseudonym(customer: str, key: str, rule: IdentityRule = AUTO) -> str | None:
    """Returns the pseudonym of a customer named in a request, or None for an anonymous visitor.

    customer: the shop's id, or `pseudonym:` and the pseudonym's 64 digits.
    """
    match = PREFIXED_PSEUDONYM.fullmatch(customer)
    return match[1] if match else known_pseudonym(customer, key, rule)


def row_pseudonym(customer: str, key: str, rule: IdentityRule = AUTO) -> str | None:
    """Returns the pseudonym of a customer in a raw row, or None for an anonymous visitor.

    customer: the shop's id, or a pseudonym behind `pseudonym:`.
    """
    if customer.startswith(PSEUDONYM_PREFIX):
        return customer.removeprefix(PSEUDONYM_PREFIX)
    return known_pseudonym(customer, key, rule)


def known_pseudonym(customer: str, key: str, rule: IdentityRule = AUTO) -> str | None:
    """Returns the pseudonym of a customer, or None if the id is nobody's."""
    spelling = canonical(customer, rule)
    return keyed_hash(spelling, key) if spelling else None


def keyed_hash(text: str, key: str) -> str:
    """Returns the HMAC-SHA256 (RFC 2104) of a text as it stands: 64 hex digits."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
