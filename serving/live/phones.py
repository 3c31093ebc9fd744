"""Telephone numbers: one spelling per number, by Google's rules (the package `phonenumbers`)."""

import re
import unicodedata

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    country_code_for_region,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    national_significant_number,
    parse,
)

from serving.live.nobody import SEPARATORS

PHONE = re.compile(
    r"(?P<prefix>[\s(]*(\+|00))?"
    r"(?P<number>[\d\s().\-/\u2010-\u2015\u2212]*\d[\s).\-/]*)"
    r"((x|ext\.?|доб\.?|\#)\s*(?P<extension>\d{1,7}))?",
    re.IGNORECASE,
)
FORM = re.compile(r"[\s()]|^\d{3}[.-]\d{3}[.-]\d{4}$")  # no other id is written so
DIGITS = range(10, 16)  # E.164 allows 15; ten is the shortest national number with its area code
SHORTEST = 7  # digits of a number that is written as a telephone number
SHORTEST_PLAIN = 8  # digits of one that is written as digits alone
MOST_ZEROS = 16  # superfluous ones: no number that is read has more digits
TRUNK = "(0)"  # dialled within the country only


def canonical_phone(text: str, country: str, is_phone: bool) -> str | None:
    """Returns a telephone number's digits with the country code, or None if it may be another id.

    A number of another country than `country` keeps its plus sign, so that it is no number of the country.
    Two people behind one switchboard differ by the extension: 74951234567x12.

    country: two capital letters, of numbers without a country code; "" if unknown. is_phone: whether the id
    is a telephone number for sure; if not, a plain number needs a country in which it is valid.
    """
    spelling = _read(text, country, is_phone)
    for _ in range(MOST_ZEROS):  # a number with superfluous zeros reads differently once one of them is gone
        again = _read(spelling, country, is_phone) if spelling else None
        if again in (None, spelling):
            break
        spelling = again
    return spelling


def _read(text: str, country: str, is_phone: bool) -> str | None:
    needs_country = text.isdecimal() and not text.startswith("00")
    if needs_country and not country and not is_phone:  # most numeric ids end here
        return None
    match = PHONE.fullmatch(text)
    if not match:
        return None
    number = _ascii(match["number"])
    digits = re.sub(r"\D", "", number)
    spelling = _international(match["prefix"], number, country, is_phone) if match["prefix"] else None
    spelling = spelling or _national(number, digits, country, is_phone)
    has_form = is_phone or "+" in (match["prefix"] or "") or FORM.search(number)
    if not spelling and has_form and len(digits) in DIGITS:
        spelling = _plain(digits, country, is_phone) or digits
    return f"{spelling}x{match['extension']}" if spelling and match["extension"] else spelling


def spellings_pattern(text: str, country: str) -> str | None:
    """Returns the regular expression of a telephone number's spellings, or None if the text is none."""
    spelling = canonical_phone(text.strip(), country, is_phone=False)
    number = _parsed(f"+{spelling.lstrip('+')}", "") if spelling else None
    if not number:
        return None
    national = SEPARATORS.join(national_significant_number(number))
    return rf"^{SEPARATORS}\+?(\d{SEPARATORS}){{0,6}}{national}{SEPARATORS}$"


def _international(prefix: str, number: str, country: str, is_phone: bool) -> str | None:
    parsed = _parsed(f"+{number}", "")
    if TRUNK in number and not (parsed and is_valid_number(parsed)):
        parsed = _parsed(f"+{number.replace(TRUNK, '')}", "")
    has_form = is_phone or "+" in prefix or FORM.search(number)
    return _spelling(parsed, country) if parsed and (has_form or is_valid_number(parsed)) else None


def _national(number: str, digits: str, country: str, is_phone: bool) -> str | None:
    """Returns the spelling of a number without a plus sign."""
    if number.isdecimal():
        return _plain(digits, country, is_phone)
    if len(digits) < SHORTEST and not is_phone:
        return None
    parsed = _parsed(number if country else f"+{number}", country)
    if not parsed:
        return None
    has_form = country and (is_phone or FORM.search(number) or _groups_like(parsed, number))
    return _spelling(parsed, country) if has_form or is_valid_number(parsed) else None


def _plain(digits: str, country: str, is_phone: bool) -> str | None:
    """Returns the spelling of a number written as digits alone; without a country it may be another id."""
    if not country or (len(digits) < SHORTEST_PLAIN and not is_phone):
        return None
    with_code = _parsed(f"+{digits}", "")
    if with_code and with_code.country_code == country_code_for_region(country):
        return digits
    parsed = _parsed(digits, country)
    return _spelling(parsed, country) if parsed and (is_phone or is_valid_number(parsed)) else None


def _parsed(text: str, country: str) -> PhoneNumber | None:
    """Returns a telephone number of a possible length, or None."""
    try:
        number = parse(text, country or None)
    except NumberParseException:
        return None
    return number if is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE else None


def _spelling(number: PhoneNumber, country: str) -> str:
    spelling = format_number(number, PhoneNumberFormat.E164)
    is_own = not country or number.country_code == country_code_for_region(country)
    return spelling[1:] if is_own else spelling


def _groups_like(number: PhoneNumber, text: str) -> bool:
    """Returns whether the digits are grouped as the country writes this number."""
    return re.findall(r"\d+", format_number(number, PhoneNumberFormat.NATIONAL)) == re.findall(r"\d+", text)


def _ascii(number: str) -> str:
    """Returns a number with its digits, of any script, as 0 to 9."""
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in number)
