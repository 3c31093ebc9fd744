"""No poisoned night makes the shop's answers worse, and ordinary nights go live without flipping."""

import random
from itertools import pairwise
from typing import get_args

import pytest
from gate_nights import NIGHTS, TOLERANCE, generator, outcome, run, world
from homes import SOAK, fresh_home
from poisons import CODE, DATA

from pipelines.compare.models import compare
from pipelines.evaluate import MODEL, NDCG, summary
from pipelines.registry import acts as registry_acts
from pipelines.registry import versions
from pipelines.report import terminal
from pipelines.run.choices import Split

SOME = 1000 if SOAK else 2  # of each kind, drawn by the seed


def test_no_poisoned_night_makes_answers_worse(seed, tmp_path, capsys):
    shop, chosen = world(seed, nights=1), drawn([*DATA, *CODE], 2 * SOME, seed)
    found = {}
    with fresh_home(tmp_path / "home"), capsys.disabled():
        print(f"\nseed {seed}")
        run(shop, 0, seed)
        for name in chosen:
            found[name] = poisoned(shop, seed, name)
            show(name, found[name])
            registry_acts.promote("1", "the next poison meets the same champion")
    assert len(DATA) + len(CODE) >= NIGHTS
    worse = [name for name, got in found.items() if got.verdict == "PROMOTED" and is_worse(got)]
    assert worse == []


def test_ordinary_nights_are_promoted_and_settings_dont_flip(seed, tmp_path, capsys):
    nights = min(SOME, NIGHTS)
    shop = world(seed, nights + 1)
    with fresh_home(tmp_path / "home"), capsys.disabled():
        print(f"\nseed {seed}")
        run(shop, 0, seed)
        found = []
        settings = [versions.champion().chosen]
        for number in range(1, nights + 1):
            found.append(outcome(shop, number, seed))
            show(f"ordinary night {number}", found[-1])
            settings.append(versions.champion().chosen)
        flips = sum(one != other for one, other in pairwise(settings))
        refused = [got for got in found if got.verdict == "REFUSED"]
        wrongly = sum(got.after > got.before for got in refused)
        falsely = sum(is_worse(got) for got in found if got.verdict == "PROMOTED")
        told = f"{falsely} promoted though worse, {wrongly} refused though better"
        print(f"{nights} nights: {told}, settings changed {flips} times")
    assert [got.reasons for got in refused if got.after > got.before] == []
    assert falsely == 0
    assert flips <= 1 + nights // 10


def poisoned(shop, seed, name):
    rng = generator(seed, name)
    with pytest.MonkeyPatch.context() as patch:
        if name in CODE:
            CODE[name](rng, patch)
            return outcome(shop, 1, seed, mend=patch.undo)
        return outcome(shop, 1, seed, lambda rows: DATA[name](rng, rows))


def is_worse(got):
    return got.after < got.before * (1 - TOLERANCE)


def drawn(names, count, seed):
    some = set(random.Random(seed).sample(names, min(count, len(names))))
    return [name for name in names if name in some]


def show(name, got):
    told = "; ".join(got.reasons)[:110] if got.verdict != "PROMOTED" else ""
    print(f"{name:46} {got.verdict:9} worth {got.before:.4f} -> {got.after:.4f}  {told}", flush=True)


def test_a_rollback_holds_until_a_person_lifts_it(seed, home):
    shop = world(seed, nights=4)
    for number in (0, 1):
        assert run(shop, number, seed)[0]["verdict"] in ("FIRST", "PROMOTED")
    registry_acts.rollback(None, "odd answers")
    decision, *_ = run(shop, 2, seed)
    assert decision["verdict"] == "REFUSED"
    assert decision["reasons"] == [
        "a rollback holds: odd answers: only what surely beats version 1 follows, or what a person promotes"
    ]
    assert versions.champion().version == "1"
    registry_acts.promote("3", "seen and found good")
    assert run(shop, 3, seed)[0]["verdict"] == "PROMOTED"
    assert versions.champion().version == "4"
    for how in get_args(Split):
        models = set(compare(how)[MODEL].unique().to_pylist())
        expected = set(terminal.ORDER) - {"challenger", "sweep", "unweighted"}
        assert models == expected - (set() if versions.champion().chosen.ranker else {"ranker"})
    measured = summary(compare("time"))["champion"]["for-you"][NDCG]
    assert f"{measured:.6f}" == versions.find("4").tags["ndcg_at_10_for_you"]
