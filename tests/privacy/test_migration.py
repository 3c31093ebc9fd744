"""A new identity rule: events and erasures follow the persons, and forgetting finds every spelling."""

import hashlib
import hmac

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS, Staging
from pipelines.lake import tables
from pipelines.privacy import forget_one, forgotten, identity_rules, migration
from pipelines.settings import customer_key
from serving.errors import NightshelfError
from serving.live import erasures, events
from serving.live.events import Event
from serving.live.identity import IdentityRule, Pseudonymiser, keyed_hash, pseudonym
from serving.live.store import now_microseconds

SOURCE = "files-00000000"
RAW = tables.RAW_ORDERS.format(source=SOURCE)
RUSSIAN = IdentityRule(country="RU")
SPELLINGS = ["+7 916 539-62-05", "8 (916) 539-62-05", "89165396205", "79165396205.0"]
ANNA = ["Anna@Shop.example", " anna@shop.example", "ANNA@SHOP.EXAMPLE"]
OTHERS = ["c-17", "boris@shop.example", "+7 916 539-62-06", "0", "guest"]


@pytest.fixture
def store(home):
    """The store of a home whose raw/ holds all spellings."""
    put([*SPELLINGS, *ANNA, *OTHERS])
    store = forgotten.open_store()
    yield store
    store.close()


def put(customers):
    rows = [
        {c.ORDER_ID: str(n), c.LINE: 0, c.ORDERED_AT: "2026-09-20", c.CUSTOMER: customer, c.PRODUCT: "p1"}
        for n, customer in enumerate(customers)
    ]
    tables.write(f"{RAW}/full=1", pa.Table.from_pylist(rows, RAW_ORDERS))


def former(customer):
    """The pseudonym that release 0.2 made."""
    text = identity_rules.first_spelling(customer)
    return hmac.new(customer_key().encode(), text.encode(), hashlib.sha256).hexdigest()


def event(pseudonymous_id, product="p1"):
    return Event(pseudonymous_id, product, "purchase", now_microseconds())


def migrate(rule):
    identity_rules.record(SOURCE, rule, has_data=True)
    return migration.carry_over(SOURCE, lambda: raw.customers(SOURCE))


def of(customer, rule=RUSSIAN):
    return Pseudonymiser(customer_key(), rule).of_id(customer)


def test_events_of_an_earlier_release_follow_the_person(store):
    events.add(store, [event(former(customer)) for customer in (*SPELLINGS, *ANNA, "c-17")])
    events.add(store, [event(former(nobody)) for nobody in ("", "0", "guest")])
    counts = migrate(RUSSIAN)
    assert events.customers(store) == {of(SPELLINGS[0]), of(ANNA[0]), of("c-17")}
    assert events.count(store, of(SPELLINGS[0])) == len(SPELLINGS)
    assert events.count(store, of(ANNA[0])) == len(ANNA)
    # Those that had another pseudonym: two of the phone, two of the address, three of nobody.
    assert counts == {"carried_events": 2 + 1 + 2 + 3, "carried_erasures": 0}
    assert migrate(RUSSIAN) == {"carried_events": 0, "carried_erasures": 0}


def test_an_erasure_counts_for_every_spelling_of_the_person(store):
    erasures.forget(store, former(ANNA[0]))
    assert migrate(RUSSIAN)["carried_erasures"] == 1
    assert of(ANNA[0]) in erasures.pending(store)
    forgotten.scrub_pending()
    assert set(raw.customers(SOURCE)) == {*SPELLINGS, *OTHERS}
    put(ANNA + OTHERS)  # the shop sends the old orders again
    forgotten.scrub(forgotten.load())
    assert set(raw.customers(SOURCE)) == set(OTHERS)


def test_a_changed_rule_carries_over_and_the_service_may_lag_behind(store):
    assert identity_rules.record(SOURCE, IdentityRule(), has_data=False) is False
    events.add(store, [event(pseudonym(SPELLINGS[2], customer_key()))])  # 8916…: without a country another id
    migrate(RUSSIAN)
    assert events.customers(store) == {of(SPELLINGS[0])}
    # The champion of the earlier rule still serves, and records events under it.
    events.add(store, [event(pseudonym(SPELLINGS[2], customer_key()), "p2")])
    assert migrate(RUSSIAN)["carried_events"] == 1
    assert events.count(store, of(SPELLINGS[0])) == 2
    assert [rule.rule for rule in identity_rules.used(SOURCE)] == [IdentityRule(), RUSSIAN]


def test_what_the_service_stored_before_the_first_model_follows_the_person(store):
    events.add(store, [event(pseudonym(SPELLINGS[2], customer_key()))])
    erasures.forget(store, pseudonym(SPELLINGS[1], customer_key()))
    identity_rules.record(SOURCE, RUSSIAN, has_data=False)
    counts = migration.carry_over(SOURCE, lambda: raw.customers(SOURCE))
    assert counts == {"carried_events": 0, "carried_erasures": 1}
    events.add(store, [event(pseudonym(SPELLINGS[2], customer_key()))])
    assert migration.carry_over(SOURCE, lambda: raw.customers(SOURCE))["carried_events"] == 1
    assert events.customers(store) == {of(SPELLINGS[0])}


def test_one_earlier_pseudonym_of_several_customers_stays_with_its_events(store):
    plain = IdentityRule(kind="id")
    identity_rules.record(SOURCE, IdentityRule(), has_data=False)
    shared = pseudonym(ANNA[0], customer_key())
    events.add(store, [event(shared)])
    erasures.forget(store, shared)
    events.add(store, [event(shared)])
    assert migrate(plain) == {"carried_events": 0, "carried_erasures": 2}  # the third is the pseudonym itself
    assert {of(customer, plain) for customer in ANNA} <= erasures.times(store).keys()


@pytest.mark.parametrize("given", [SPELLINGS[1], "7 916 539 62 05"])
def test_forget_erases_every_spelling_and_proves_it(store, given):
    identity_rules.record(SOURCE, RUSSIAN, has_data=True)
    Staging(SOURCE, {}).write(0, [pa.table({c.CUSTOMER: [SPELLINGS[2], "c-17"], c.LINE: [1, 2]})], {})
    tables.write(tables.BASKETS, pa.table({c.CUSTOMER: [of(SPELLINGS[0]), former(SPELLINGS[2]), of("c-17")]}))
    events.add(store, [event(of(SPELLINGS[0])), event(former(SPELLINGS[2])), event(of("c-17"))])
    report = forget_one.forget(given)
    assert [report.before[table] for table in (RAW, tables.STAGING.format(source=SOURCE))] == [
        len(SPELLINGS),
        1,
    ]
    assert (report.before[tables.BASKETS], report.before[forget_one.SERVICE_EVENTS]) == (2, 2)
    assert report.total_remaining == 0
    assert set(raw.customers(SOURCE)) == {*ANNA, *OTHERS}
    assert tables.read(tables.BASKETS)[c.CUSTOMER].to_pylist() == [of("c-17")]
    assert events.customers(store) == {of("c-17")}


@pytest.mark.parametrize("nobody", ["", "0", "Guest", "+7 (999) 999-99-99"])
def test_nobody_cannot_be_forgotten(store, nobody):
    with pytest.raises(NightshelfError):
        forget_one.forget(nobody)
    assert erasures.times(store) == {}
    assert set(raw.customers(SOURCE)) == {*SPELLINGS, *ANNA, *OTHERS}


def test_the_store_of_an_unchanged_source_is_left_alone(store):
    identity_rules.record(SOURCE, IdentityRule(), has_data=False)
    events.add(store, [event(keyed_hash("somebody", customer_key()))])
    assert migration.carry_over(SOURCE, lambda: pytest.fail("raw/ is not read")) == {
        "carried_events": 0,
        "carried_erasures": 0,
    }
