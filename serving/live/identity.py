"""Customer ids: the canonical spelling of each, the ids that stand for nobody, and pseudonyms.

The rule of a source says what its customer ids are. Each spelling of one id has one canonical form, and the
pseudonym is a keyed hash of it. RULE_VERSION grows whenever a canonical form changes.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import field_validator

from serving.live.nobody import BLANK, NOBODY
from serving.live.phones import canonical_phone, spellings_pattern
from serving.toml import FrozenModel

RULE_VERSION = 2  # 1: releases 0.1 and 0.2
IDENTITY = "identity"  # manifest entry: the rule of the customers that a bundle knows
PSEUDONYM_PREFIX = "pseudonym:"  # marks a customer id that is a pseudonym already
PREFIXED_PSEUDONYM = re.compile(rf"{PSEUDONYM_PREFIX}([0-9a-f]{{64}})")
EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
FORMULA_GUARD = re.compile(r"^'(?=[=+\-@])")  # exports put it before a text that a spreadsheet would compute
WHOLE_FLOAT = re.compile(r"(\d+)(\.0+|,0{1,2})")  # how spreadsheets and data frames write an id: 13085.0
LARGE_FLOAT = re.compile(r"(\d)\.(\d{1,15})E(\d{1,2})")  # how Java writes it: 7.9165396205E10


class IdentityRule(FrozenModel):
    """What the customer ids of a source are.

    kind: auto recognises e-mail addresses and telephone numbers by their form; all else is a plain id.
    """

    kind: Literal["auto", "id", "email", "phone"] = "auto"
    country: str = ""  # two letters, of telephone numbers without a country code
    nobody: tuple[str, ...] = ()  # ids of this shop that stand for nobody, besides those of NOBODY

    @field_validator("country")
    @classmethod
    def _check_country(cls, country: str) -> str:
        return known_country(country)


AUTO = IdentityRule()


@dataclass(frozen=True)
class Pseudonymiser:
    """Turns the customer ids of requests and rows into pseudonyms: the secret key and a rule."""

    key: str
    rule: IdentityRule = AUTO

    def of_request(self, customer: str) -> str | None:
        """Returns the pseudonym of a customer named in a request, or None for an anonymous visitor.

        customer: the shop's id, or `pseudonym:` and the pseudonym's 64 digits.
        """
        match = PREFIXED_PSEUDONYM.fullmatch(customer)
        return match[1] if match else self.of_id(customer)

    def of_row(self, customer: str) -> str | None:
        """Returns the pseudonym of a customer in a row of all sources, or None for an anonymous visitor.

        customer: a pseudonym behind `pseudonym:`, as the service's own events have it, or the shop's id, in
        which `pseudonym:` at its beginning is written twice.
        """
        match = PREFIXED_PSEUDONYM.fullmatch(customer)
        return match[1] if match else self.of_id(customer.removeprefix(PSEUDONYM_PREFIX))

    def of_id(self, customer: str) -> str | None:
        """Returns the pseudonym of a customer, or None if the id stands for nobody."""
        spelling = canonical(customer, self.rule)
        return keyed_hash(spelling, self.key) if spelling else None


def canonical(customer: str, rule: IdentityRule = AUTO) -> str:
    """Returns the canonical spelling of a customer id; "" if it stands for nobody.

    An e-mail address is trimmed, normalised (NFKC) and case-folded. A telephone number becomes its digits
    with the country code. A plain id is trimmed and normalised (NFC); a whole number loses its fraction.

    >>> canonical("+7 (916) 539-62-05"), canonical("8 916 539-62-05", IdentityRule(country="RU"))
    ('79165396205', '79165396205')
    >>> canonical(" Anna@Shop.Example "), canonical("13085.0"), canonical(" C-17 "), canonical("guest")
    ('anna@shop.example', '13085', 'C-17', '')
    """
    text = _cleaned(customer)
    if is_nobody(text, rule):
        return ""
    spelling = _email(text, rule) or _phone(text, rule) or text
    return "" if spelling != text and is_nobody(spelling, rule) else spelling


def is_nobody(customer: str, rule: IdentityRule = AUTO) -> bool:
    """Returns whether an id stands for nobody: an anonymous visitor or a guest, but no customer."""
    return _compiled(rule).match(customer) is not None


@lru_cache
def nobody_pattern(rule: IdentityRule) -> str:
    """Returns the regular expression, of Python and of Java, of all ids that stand for nobody."""
    return "|".join([NOBODY, *(_own_nobody(text.strip(), rule) for text in rule.nobody if text.strip())])


def pseudonym(customer: str, key: str, rule: IdentityRule = AUTO) -> str:
    """Returns a customer's pseudonym: 64 hex digits, the HMAC-SHA256 of the canonical id."""
    return keyed_hash(canonical(customer, rule), key)


def keyed_hash(text: str, key: str) -> str:
    """Returns the HMAC-SHA256 (RFC 2104) of a text as it stands: 64 hex digits."""
    return hmac.digest(key.encode(), text.encode(), hashlib.sha256).hex()


def manifest_entry(rule: IdentityRule) -> dict[str, Any]:
    """Returns the manifest entry of a bundle whose customers were identified by a rule."""
    return {"version": RULE_VERSION, **rule.model_dump(mode="json")}


def rule_of(manifest: Mapping[str, Any]) -> IdentityRule:
    """Returns the rule of the customers that a bundle knows; bundles of release 0.2 and before state none."""
    entry = manifest.get(IDENTITY) or {}
    return IdentityRule.model_validate({name: entry[name] for name in entry if name != "version"})


def known_country(country: str) -> str:
    """Returns a country's two letters in capitals, or ""; raises ValueError if there is no such country."""
    if country and country.upper() not in SUPPORTED_REGIONS:
        raise ValueError("unknown country; write its two letters such as DE or GB")
    return country.upper()


def _cleaned(customer: str) -> str:
    """Returns an id without what spreadsheets and clipboards add to it."""
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", customer)).strip()
    text = FORMULA_GUARD.sub("", text)
    if match := WHOLE_FLOAT.fullmatch(text):
        return match[1]
    match = LARGE_FLOAT.fullmatch(text)
    if match and len(match[2]) <= (exponent := int(match[3])) in range(7, 16):
        return match[1] + match[2].ljust(exponent, "0")
    return text


def _email(text: str, rule: IdentityRule) -> str | None:
    if rule.kind not in ("auto", "email"):
        return None
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded if EMAIL.fullmatch(folded) else None


def _phone(text: str, rule: IdentityRule) -> str | None:
    is_phone = rule.kind == "phone"
    return canonical_phone(text, rule.country, is_phone) if is_phone or rule.kind == "auto" else None


@lru_cache
def _compiled(rule: IdentityRule) -> re.Pattern[str]:
    return re.compile(nobody_pattern(rule))


def _own_nobody(text: str, rule: IdentityRule) -> str:
    """Returns the pattern of one id that stands for nobody at this shop, in all its spellings."""
    fraction = r"([.,]0+)?" if text.isdecimal() else ""
    pattern = rf"(?iu:^{BLANK}{re.escape(text)}{fraction}{BLANK}$)"
    phone = spellings_pattern(text, rule.country) if rule.kind in ("auto", "phone") else None
    return f"{pattern}|{phone}" if phone else pattern
