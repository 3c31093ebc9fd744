"""Drawn customer ids: the spellings of one person are one, and different people never merge."""

import unicodedata

from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, example_number_for_type, format_number
from phonenumbers import PhoneNumberType as Type

from serving.live.identity import IdentityRule, canonical, is_nobody

COUNTRIES = ("RU", "DE", "GB", "US", "FR", "IT", "NO", "PL", "BR", "IN", "AT", "KZ")
KINDS = ("auto", "id", "email", "phone")
RULES = [IdentityRule(kind=kind, country=country) for kind in KINDS for country in ("", *COUNTRIES)]
examples = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


def rules(*kinds):
    return st.sampled_from([rule for rule in RULES if rule.kind in (kinds or KINDS)])


@st.composite
def phones(draw):
    """A valid telephone number of a country: its E.164 digits and its country."""
    country = draw(st.sampled_from(COUNTRIES))
    kind = draw(st.sampled_from([Type.MOBILE, Type.FIXED_LINE]))
    number = example_number_for_type(country, kind)
    number.national_number -= number.national_number % 1000
    number.national_number += draw(st.integers(0, 999))
    return number, country


@st.composite
def spellings(draw, number, country, national):
    """One way to write a country's telephone number; without `national`, with the country code."""
    international = format_number(number, PhoneNumberFormat.INTERNATIONAL)
    code, _, rest = international[1:].partition(" ")
    local = format_number(number, PhoneNumberFormat.NATIONAL)
    digits = format_number(number, PhoneNumberFormat.E164)[1:]
    trunk = "(0)" if country in ("DE", "GB", "FR", "AT", "IN", "BR") else ""
    spelling = draw(
        st.sampled_from(
            [
                international,
                f"+{digits}",
                f"00{digits}",
                f"00 {code} {rest}",
                f"+{code} {trunk}{rest}",
                f"(+{code}) {rest}",
                *((local, "".join(filter(str.isdigit, local))) if national else ()),
            ]
        )
    )
    separator = draw(st.sampled_from([" ", "-", ".", "\u00a0", "/", "\u2011", "  "]))
    return draw(st.sampled_from(["", " ", "\u202a", "\ufeff"])) + spelling.replace(" ", separator).replace(
        "-", separator
    )


emails = st.from_regex(r"[a-zäöü][a-zäöü0-9.+_]{0,12}@[a-z]{2,8}\.(example|shop)", fullmatch=True)


@examples
@given(data=st.data())
def test_the_spellings_of_any_phone_number_are_one(data: st.DataObject) -> None:
    number, country = data.draw(phones())
    rule = IdentityRule(kind=data.draw(st.sampled_from(["auto", "phone"])), country=country)
    one, other = (data.draw(spellings(number, country, national=True)) for _ in range(2))
    assert canonical(one, rule) == canonical(other, rule) == format_number(number, PhoneNumberFormat.E164)[1:]


@examples
@given(data=st.data())
def test_without_a_country_international_spellings_are_one(data: st.DataObject) -> None:
    number, country = data.draw(phones())
    one, other = (data.draw(spellings(number, country, national=False)) for _ in range(2))
    assert canonical(one) == canonical(other)


@examples
@given(emails, st.sampled_from(["", " ", "\t", "\u00a0", "\u200b"]), st.booleans(), rules("auto", "email"))
def test_the_spellings_of_an_e_mail_address_are_one(
    email: str, blank: str, decomposed: bool, rule: IdentityRule
) -> None:
    assume(not is_nobody(email))
    spelled = f"{blank}{unicodedata.normalize('NFD', email.upper()) if decomposed else email.title()}{blank}"
    assert canonical(spelled, rule) == canonical(email, rule) == unicodedata.normalize("NFKC", email)


@examples
@given(st.integers(1, 10**9 - 1), st.sampled_from([".0", ".00", ",0", ".0000 "]), rules())
def test_a_numeric_id_that_a_spreadsheet_wrote_as_a_float_is_that_id(
    number: int, fraction: str, rule: IdentityRule
) -> None:
    assume(not is_nobody(str(number)))
    assert canonical(f"{number}{fraction}", rule) == canonical(str(number), rule)


phone_like = st.from_regex(r"[+0 ]?[0-9 ().\-/]{1,18}( x[0-9]{1,3})?", fullmatch=True)
ids = st.one_of(
    st.integers(1, 10**9 - 1).map(str),
    st.from_regex(r"[A-Za-z]{1,3}[-_/.]?[0-9]{1,12}", fullmatch=True),
    st.uuids().map(str),
    emails,
    st.text(st.characters(exclude_categories=("C", "Z", "M")), min_size=1, max_size=12),
)


@examples
@given(st.data(), rules())
def test_different_people_never_merge(data: st.DataObject, rule: IdentityRule) -> None:
    one, other = data.draw(ids), data.draw(ids)
    assume(len({unicodedata.normalize("NFKC", text).casefold() for text in (one, other)}) == 2)
    assume(canonical(one, rule) and canonical(other, rule))
    assert canonical(one, rule) != canonical(other, rule)


@examples
@given(st.data(), rules("auto", "phone"))
def test_different_phone_numbers_never_merge(data: st.DataObject, rule: IdentityRule) -> None:
    (one, _), (other, _) = data.draw(phones()), data.draw(phones())
    assume(one != other)
    spelled = [format_number(number, PhoneNumberFormat.INTERNATIONAL) for number in (one, other)]
    assert canonical(spelled[0], rule) != canonical(spelled[1], rule)


@examples
@given(st.one_of(st.text(), phone_like), rules())
def test_a_canonical_form_is_its_own(text: str, rule: IdentityRule) -> None:
    once = canonical(text, rule)
    assert canonical(once, rule) == once
    assert not (once and is_nobody(once, rule))
