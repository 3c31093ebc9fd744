"""The gate refuses poisoned runs, and promotes ordinary ones without changing settings often."""

import os
import random
from itertools import pairwise
from typing import get_args

import pytest
from gate_nights import NIGHTS, TOLERANCE, generator, outcome, run, world
from homes import SOAK, fresh_home
from poisons import CODE, DATA

from pipelines.choices import Split
from pipelines.compare.models import compare
from pipelines.evaluate import MODEL, NDCG, summary
from pipelines.registry import acts as registry_acts
from pipelines.registry import versions
from pipelines.report import terminal

SOME = 1000 if SOAK else 1  # of each kind, sampled by the seed
AFTER_ROLLBACK = "allowed after the rollback"
ORDINARY = min(SOME + 1, NIGHTS)  # runs after the first


@pytest.fixture(scope="module")
def chosen_seed():
    """One seed for the module, whose tests share a shop and its registry."""
    return int(os.environ.get("NIGHTSHELF_TEST_SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture(scope="module")
def shop(chosen_seed):
    return world(chosen_seed, ORDINARY + 3)


@pytest.fixture(scope="module")
def first(shop, chosen_seed, tmp_path_factory):
    """A home whose registry holds the model of the first run."""
    with fresh_home(tmp_path_factory.mktemp("home")):
        run(shop, 0, chosen_seed)
        yield


def test_no_poisoned_run_promotes_a_worse_model(first, shop, chosen_seed, capsys):
    outcomes = {}
    with capsys.disabled():
        print(f"\nseed {chosen_seed}")
        for name in sample_names([*DATA, *CODE], 2 * SOME, chosen_seed):
            outcomes[name] = poisoned(shop, chosen_seed, name)
            show(name, outcomes[name])
            registry_acts.promote("1", "the next run meets the same champion")
    assert len(DATA) + len(CODE) >= NIGHTS
    worse = [name for name, result in outcomes.items() if result.verdict == "PROMOTED" and is_worse(result)]
    assert worse == []


@pytest.fixture(scope="module")
def ordinary(first, shop, chosen_seed):
    """The outcomes of the ordinary runs after the first, and the champion's settings after each run."""
    outcomes, settings = [], [versions.champion().chosen]
    for number in range(1, ORDINARY + 1):
        outcomes.append(outcome(shop, number, chosen_seed))
        show(f"ordinary night {number}", outcomes[-1])
        settings.append(versions.champion().chosen)
    return outcomes, settings


def test_ordinary_runs_promote_no_worse_model_and_settings_stay_stable(ordinary, chosen_seed, capsys):
    outcomes, settings = ordinary
    changes = sum(earlier != later for earlier, later in pairwise(settings))
    refused = [result for result in outcomes if result.verdict == "REFUSED"]
    wrongly = sum(result.after > result.before for result in refused)
    falsely = sum(is_worse(result) for result in outcomes if result.verdict == "PROMOTED")
    with capsys.disabled():
        counts = f"{falsely} promoted though worse, {wrongly} refused though better"
        print(f"\nseed {chosen_seed}: {ORDINARY} runs: {counts}, settings changed {changes} times")
    assert [result.reasons for result in refused if result.after > result.before] == []
    assert falsely == 0
    assert changes <= 1 + ORDINARY // 10


def poisoned(shop, seed, name):
    """Returns the outcome of the second run with the named poison."""
    rng = generator(seed, name)
    with pytest.MonkeyPatch.context() as patch:
        if name in CODE:
            CODE[name](rng, patch)
            return outcome(shop, 1, seed, mend=patch.undo)
        return outcome(shop, 1, seed, lambda rows: DATA[name](rng, rows))


def is_worse(result):
    """Returns whether the registered version is worse than the champion, beyond the tolerance."""
    return result.after < result.before * (1 - TOLERANCE)


def sample_names(names, count, seed):
    selected = set(random.Random(seed).sample(names, min(count, len(names))))
    return [name for name in names if name in selected]


def show(name, result):
    reasons = "; ".join(result.reasons)[:110] if result.verdict != "PROMOTED" else ""
    print(
        f"{name:46} {result.verdict:9} worth {result.before:.4f} -> {result.after:.4f}  {reasons}", flush=True
    )


def test_after_a_rollback_no_run_promotes_until_a_person_promotes_a_version(ordinary, shop, chosen_seed):
    before = str(versions.find_alias(registry_acts.PREVIOUS).version)
    champion = versions.champion().version
    registry_acts.rollback(None, "odd answers")
    decision, _, refused = run(shop, ORDINARY + 1, chosen_seed)
    assert decision["verdict"] == "REFUSED"
    (reason,) = [reason for reason in decision["reasons"] if reason.startswith(AFTER_ROLLBACK)]
    assert reason.startswith(f"{AFTER_ROLLBACK}: odd answers: ")
    assert f"version {before}" in reason
    assert versions.champion().version == before
    registry_acts.promote(refused, "checked")
    decision = run(shop, ORDINARY + 2, chosen_seed)[0]  # which a lane may lose by chance
    assert [reason for reason in decision["reasons"] if reason.startswith(AFTER_ROLLBACK)] == []
    newest = versions.champion().version
    assert (int(newest) > int(refused)) is (decision["verdict"] == "PROMOTED"), decision["reasons"]
    assert int(refused) > int(champion)
    for split in get_args(Split):
        models = set(compare(split)[MODEL].unique().to_pylist())
        expected = set(terminal.ORDER) - {"challenger", "sweep", "unweighted"}
        assert models == expected - (set() if versions.champion().chosen.ranker else {"ranker"})
    if decision["verdict"] == "PROMOTED":  # otherwise the champion was measured on another night's days
        measured = summary(compare("time"))["champion"]["for-you"][NDCG]
        assert f"{measured:.6f}" == versions.find(newest).tags["ndcg_at_10_for_you"]
