"""Customer ids: spellings of one person, ids that stand for nobody, and pseudonyms as they always were."""

import hashlib
import hmac
from pathlib import Path

import pytest

from serving import toml
from serving.errors import NightshelfError
from serving.live.identity import (
    AUTO,
    IdentityRule,
    Pseudonymiser,
    canonical,
    manifest_entry,
    pseudonym,
    rule_of,
)

pytestmark = pytest.mark.fast

KINDS = ("auto", "id", "email", "phone")
RULES = [IdentityRule(kind=kind, country=country) for kind in KINDS for country in ("", "RU", "DE", "US")]

# printf %s ID | openssl dgst -sha256 -hmac key: what releases 0.1 and 0.2 made of these ids
FORMER = {
    "79165396205": "6c703200a1be345915a5e8cb55e975a35092ee24fd706e9d34f39d532dc29f51",
    "+7 (916) 539-6205": "6c703200a1be345915a5e8cb55e975a35092ee24fd706e9d34f39d532dc29f51",
    " C-17 ": "@C-17",
    "13085": "@13085",
    "anna@shop.example": "@anna@shop.example",
}


@pytest.mark.parametrize(
    "spelling",
    [
        "+7(916)539-6205",
        "+7 (916) 539-6205",
        "79165396205",
        " 7.916.539.6205 ",
        "00 7 916 5396205",
        "+7 (0) 916 539-62-05",
    ],
)
def test_the_spellings_of_a_phone_number_are_one(spelling: str) -> None:
    assert canonical(spelling) == "79165396205"


@pytest.mark.parametrize(
    "spelling", ["8 916 539-62-05", "8(916)5396205", "89165396205", "9165396205.0", "٧٩١٦٥٣٩٦٢٠٥"]
)
def test_the_country_reads_national_numbers(spelling: str) -> None:
    assert canonical(spelling, IdentityRule(country="ru")) == "79165396205"


@pytest.mark.parametrize(
    "customer", ["12345", "C-17", "a1b2c3d4e5f6a7b8", "anna@example.org", "1234567890123456", "0x1F", "Анна"]
)
def test_a_plain_id_stays_as_it_is(customer: str) -> None:
    assert canonical(f" {customer} ") == customer


def test_an_id_that_a_program_wrote_as_a_number_or_formula_is_that_id() -> None:
    assert canonical("7.9165396205E10") == "79165396205"  # how Java writes the number
    assert canonical("1.5E3") == "1.5E3"  # Java writes only numbers from ten million on like that
    assert canonical("'+79165396205") == "79165396205"  # how an export protects a spreadsheet


NOBODIES = [
    *("", " ", "\u00a0", "\ufeff", "0", "0.0", "000", "+0", "0,00", "-", "?", "-1", "-1.0", "00000-0000"),
    *("guest", "Guest User", "GUEST", "anonymous", "null", "NULL", "(null)", "<NA>", "None", "nan", "NaN"),
    *("undefined", "unknown", "n/a", "#N/A", "not set", "\\N", "no customer", "walk-in customer", "deleted"),
    *(
        "11111",
        "99999.0",
        "1111111111",
        "+7 (999) 999-99-99",
        "+7 (123) 456-7890",
        "111-111-1111",
        "555-5555",
    ),
    *("guest@shop.example", "noreply@shop.example", "Gast", "Гость", "INVITÉ", "7.91654E+10", "1e+16"),
    "00000000-0000-0000-0000-000000000000",
]


@pytest.mark.parametrize("customer", NOBODIES)
def test_ids_that_stand_for_nobody_are_no_customer(customer: str) -> None:
    for rule in RULES:
        assert canonical(customer, rule) == ""
        assert Pseudonymiser("key", rule).of_request(customer) is None
        assert Pseudonymiser("key", rule).of_row(customer) is None


@pytest.mark.parametrize("customer", ["1", "10", "111", "7777", "guesty", "Anon Ymous", "nullmann", "00042"])
def test_ids_of_real_customers_do_not_stand_for_nobody(customer: str) -> None:
    assert all(canonical(customer, rule) for rule in RULES)


def test_the_ids_that_a_shop_declares_stand_for_nobody_in_each_spelling() -> None:
    rule = IdentityRule(country="RU", nobody=("+7 495 123-45-67", "Info@shop.example", "777", "Kasse (1)"))
    spellings = ("84951234567", "8 (495) 123-45-67", "info@SHOP.example", " 777 ", "777.0", "kasse (1)")
    assert [canonical(spelling, rule) for spelling in spellings] == [""] * len(spellings)
    for other in ("8 (495) 123-45-68", "7777", "kasse 1", "info@shop.example.org"):
        assert canonical(other, rule)


def test_plain_ids_keep_their_spelling_and_case() -> None:
    rule = IdentityRule(kind="id")
    assert len({canonical(customer, rule) for customer in ("Anna@x.example", "anna@x.example")}) == 2
    assert canonical("+7 916 539-62-05", rule) == "+7 916 539-62-05"


@pytest.mark.parametrize("customer", ["13906908", "3045000", "30450", "7 523"])
def test_numbers_that_are_no_telephone_numbers_of_the_country_are_plain_ids(customer: str) -> None:
    assert canonical(customer, IdentityRule(country="DE")) == customer


def test_a_number_grouped_as_its_country_writes_it_is_a_telephone_number() -> None:
    brazil = IdentityRule(country="BR")
    assert canonical("47-00206-5164", brazil) == "5547002065164"
    assert canonical("470-0206-5164", brazil) == "470-0206-5164"


def test_e_mail_addresses_are_compared_by_folded_and_normalised_letters() -> None:
    assert canonical("STRASSE@shop.example") == canonical("straße@shop.example") == "strasse@shop.example"
    assert canonical("ΐ@shop.example".upper()) == canonical("ΐ@shop.example") == "ΐ@shop.example"
    assert canonical("ＧＵＥＳＴ@shop.example") == ""


def test_a_foreign_number_is_no_number_of_the_country() -> None:
    german = IdentityRule(country="DE")
    assert canonical("+7 916 539-62-05", german) == "+79165396205"
    assert canonical("0791 65396205", german) == "4979165396205"


def test_people_behind_one_switchboard_differ_by_their_extension() -> None:
    one, other = (canonical(f"+7 495 123-45-67 ext. {extension}") for extension in (12, 13))
    assert (one, other) == ("74951234567x12", "74951234567x13")


@pytest.mark.parametrize("customer", FORMER)
def test_pseudonyms_of_earlier_releases_stay(customer: str) -> None:
    expected = FORMER[customer]
    if expected.startswith("@"):
        expected = hmac.new(b"key", expected[1:].encode(), hashlib.sha256).hexdigest()
    assert pseudonym(customer, "key") == expected
    if "@" not in customer:
        assert pseudonym(customer, "key", IdentityRule(country="RU")) == expected


def test_a_pseudonym_depends_on_the_customer_and_on_the_key() -> None:
    anna = pseudonym("+7(916)539-6205", "key")
    assert len({anna, pseudonym("79165396206", "key"), pseudonym("79165396205", "another key")}) == 3
    assert len(anna) == 64


def test_a_request_may_name_a_customer_by_the_pseudonym() -> None:
    identify, known = Pseudonymiser("key"), pseudonym("C-17", "key")
    assert identify.of_request("C-17") == identify.of_request(f"pseudonym:{known}") == known
    for other in (known, f"pseudonym:{known[:-1]}", f"pseudonym:{known.upper()}", f" pseudonym:{known}"):
        assert identify.of_request(other) not in (known, known[:-1])  # read as an id of the shop


def test_the_rule_survives_the_manifest() -> None:
    rule = IdentityRule(kind="phone", country="de", nobody=("777",))
    assert rule_of({"identity": manifest_entry(rule)}) == rule
    assert rule_of({}) == AUTO


def test_an_unknown_country_is_refused_with_what_to_write(tmp_path: Path) -> None:
    file = tmp_path / "rule.toml"
    file.write_text('country = "UK"')
    with pytest.raises(NightshelfError, match="DE or GB"):
        toml.read(IdentityRule, file, "the rule")
