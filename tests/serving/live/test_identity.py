"""One customer, however the id is spelt; and nothing that tells who it is."""

import pytest

from serving.live.identity import asked, normalise, pseudonym


@pytest.mark.parametrize(
    "spelling", ["+7(916)539-6205", "+7 (916) 539-6205", "79165396205", " 7.916.539.6205 "]
)
def test_spellings_of_a_phone_number_are_one(spelling: str) -> None:
    assert normalise(spelling) == "79165396205"


@pytest.mark.parametrize(
    "customer", ["12345", "C-17", "a1b2c3d4e5f6a7b8", "anna@example.org", "1234567890123456"]
)
def test_what_is_no_phone_number_stays(customer: str) -> None:
    assert normalise(f" {customer} ") == customer


def test_a_pseudonym_depends_on_the_customer_and_on_the_key() -> None:
    one = pseudonym("+7(916)539-6205", "key")
    assert one == pseudonym("79165396205", "key")
    assert len({one, pseudonym("79165396206", "key"), pseudonym("79165396205", "another key")}) == 3
    assert len(one) == 64


def test_a_pseudonym_is_the_hmac_of_rfc_2104() -> None:
    # printf %s 79165396205 | openssl dgst -sha256 -hmac key
    assert (
        pseudonym("79165396205", "key") == "6c703200a1be345915a5e8cb55e975a35092ee24fd706e9d34f39d532dc29f51"
    )


def test_who_is_asked_about_may_be_named_by_the_pseudonym() -> None:
    hidden = pseudonym("C-17", "key")
    assert asked("C-17", "key") == asked(f"pseudonym:{hidden}", "key") == hidden
    for other in (hidden, f"pseudonym:{hidden[:-1]}", f"pseudonym:{hidden.upper()}", f" pseudonym:{hidden}"):
        assert asked(other, "key") not in (hidden, hidden[:-1])  # a customer of that name, whoever that is
