"""Carries pseudonyms over when the identity rule of a source changes, or a release changes canonical forms.

Pseudonyms can't be turned back into ids, so the ids in raw/ are hashed under the earlier rules and the
present one. Events move to the present pseudonym; an erasure counts for every pseudonym of the person.
"""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from pipelines.privacy import forgotten, identity_rules
from pipelines.privacy.identity_rules import FIRST_VERSION, UsedRule
from pipelines.settings import customer_key
from serving.live import erasures, events
from serving.live.identity import keyed_hash
from serving.live.store import Store

# Until a champion of the present rule is promoted, the service records events under the earlier rule.
REPEAT_DAYS = 90
# Ids under which release 0.2 and before recorded the events of anonymous visitors.
FORMER_NOBODIES = ("", "0", "-1", "null", "None", "NULL", "nan", "undefined", "guest", "anonymous")

log = logging.getLogger(__name__)

Moves = dict[str, set[str | None]]  # present pseudonyms by the earlier one; None: the id stands for nobody


def carry_over(source: str, ids: Callable[[], Iterable[str]]) -> dict[str, int]:
    """Carries the store over to the present rule of a source; returns the numbers of events and erasures.

    Does nothing if the rule changed more than REPEAT_DAYS ago. ids: returns the customers as received.
    """
    *earlier, present = identity_rules.used(source)
    counts = {"carried_events": 0, "carried_erasures": 0}
    if not earlier or present.since < dt.datetime.now(dt.UTC) - dt.timedelta(days=REPEAT_DAYS):
        return counts
    store = forgotten.open_store()
    known, times = events.customers(store), erasures.times(store)
    if stored := known | times.keys():
        moves = _moves(earlier, present, ids(), stored)
        counts = {
            "carried_events": events.move(store, _unambiguous(moves, known)),
            "carried_erasures": _copy_erasures(store, moves, times),
        }
        log.info("the identity rule of %s is new: %s", source, counts)
    store.close()
    return counts


def _moves(earlier: list[UsedRule], present: UsedRule, ids: Iterable[str], stored: set[str]) -> Moves:
    """Returns the moves of those pseudonyms that the store holds."""
    moves: Moves = defaultdict(set)
    for customer in ids:
        for old in stored.intersection({rule.pseudonym(customer) or "" for rule in earlier}):
            moves[old].add(present.pseudonym(customer))
    if any(rule.version == FIRST_VERSION for rule in earlier):
        for old in {keyed_hash(nobody, customer_key()) for nobody in FORMER_NOBODIES} & stored:
            moves[old].add(None)
    return {old: new for old, new in moves.items() if new != {old}}


def _unambiguous(moves: Moves, known: set[str]) -> dict[str, str | None]:
    """Returns the moves of events, without those from a pseudonym that several customers shared."""
    return {old: next(iter(moves[old])) for old in known & moves.keys() if len(moves[old]) == 1}


def _copy_erasures(store: Store, moves: Moves, times: dict[str, int]) -> int:
    """Adds the erasures of earlier pseudonyms under the present ones; returns how many were missing."""
    copies: dict[str, int] = {}
    for old in times.keys() & moves.keys():
        for new in moves[old] - {None}:
            copies[str(new)] = max(copies.get(str(new), 0), times[old])
    missing = {new: at for new, at in copies.items() if times.get(new, 0) < at}
    erasures.add(store, missing)
    return len(missing)
