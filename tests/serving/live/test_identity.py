"""Normalised ids, and pseudonyms that depend on the id and the key."""

import pytest

from serving.live.identity import normalise, pseudonym, requested_pseudonym

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "spelling", ["+7(916)539-6205", "+7 (916) 539-6205", "79165396205", " 7.916.539.6205 "]
)
def test_normalises_spellings_of_a_phone_number(spelling: str) -> None:
    assert normalise(spelling) == "79165396205"


@pytest.mark.parametrize(
    "customer", ["12345", "C-17", "a1b2c3d4e5f6a7b8", "anna@example.org", "1234567890123456"]
)
def test_keeps_an_id_that_is_no_phone_number(customer: str) -> None:
    assert normalise(f" {customer} ") == customer


def test_a_pseudonym_depends_on_the_customer_and_on_the_key() -> None:
    anna = pseudonym("+7(916)539-6205", "key")
    assert anna == pseudonym("79165396205", "key")
    assert len({anna, pseudonym("79165396206", "key"), pseudonym("79165396205", "another key")}) == 3
    assert len(anna) == 64


def test_a_pseudonym_is_the_hmac_of_rfc_2104() -> None:
    # printf %s 79165396205 | openssl dgst -sha256 -hmac key
    assert (
        pseudonym("79165396205", "key") == "6c703200a1be345915a5e8cb55e975a35092ee24fd706e9d34f39d532dc29f51"
    )


def test_a_request_may_name_a_customer_by_the_pseudonym() -> None:
    known = pseudonym("C-17", "key")
    assert requested_pseudonym("C-17", "key") == requested_pseudonym(f"pseudonym:{known}", "key") == known
    for other in (known, f"pseudonym:{known[:-1]}", f"pseudonym:{known.upper()}", f" pseudonym:{known}"):
        assert requested_pseudonym(other, "key") not in (known, known[:-1])  # taken as an id of the shop
