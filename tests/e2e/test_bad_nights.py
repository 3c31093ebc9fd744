"""Validation stops every bad case before training and no good one."""

import datetime as dt
import random
import shutil

from bad_nights import BAD
from good_nights import GOOD
from homes import SOAK, fresh_home, served
from nights import LAST, ShopApi, generator, night, night_in_copy, ordinary

from pipelines.settings import settings

ORDINARY = 7 if SOAK else 3  # runs before the cases
MIN_CASES = 40
DRAWN = 1000 if SOAK else 2  # cases of each kind, drawn by the seed
MAX_LETTERS = 110  # of a printed message


def test_stops_every_bad_case_before_training_and_no_good_one(seed, tmp_path, capsys):
    world = ordinary(seed)
    api = ShopApi(world)
    with (
        served(api.app()) as address,
        fresh_home(tmp_path / "home", **shop_at(address)),
        capsys.disabled(),
    ):
        print(f"\nseed {seed}")
        before = ordinary_nights(api, world)
        shutil.copytree(settings().lake_url, tmp_path / "base")
        bad, good = (
            table(kind, api, world, drawn(cases, seed), seed, tmp_path)
            for kind, cases in (("bad", BAD), ("good", GOOD))
        )
    good = before | good
    assert min(len(BAD), len(GOOD)) >= MIN_CASES
    assert [name for name, outcome in bad.items() if not outcome.stopped] == []
    assert [name for name, outcome in bad.items() if outcome.replaced] == []
    assert {name: outcome.stopped for name, outcome in good.items() if outcome.stopped} == {}


def drawn(cases, seed):
    """The cases drawn for this test run, in their order."""
    names = set(random.Random(seed).sample(sorted(cases), min(DRAWN, len(cases))))
    return {name: case for name, case in cases.items() if name in names}


def shop_at(address):
    values = {"URL": address, "PASSWORD": "a password for tests", "SINCE": "since", "PAGE_SIZE": 1000}
    values |= {"RATE": 10_000, "TRIES": 2, "BACKOFF": 0}
    return {f"SHOP_{name}": value for name, value in values.items()}


def ordinary_nights(api, world):
    """The outcomes of the ordinary runs of the days before; all cases start from their lake."""
    outcomes = {}
    for back in range(ORDINARY, 0, -1):
        day = LAST - dt.timedelta(days=back)
        name = f"an ordinary {day:%A} before"
        outcomes[name] = night(api, world.at(day))
        show("good", name, outcomes[name])
    return outcomes


def table(kind, api, world, cases, seed, folder):
    """The outcome of each case by name; prints them as they come."""
    outcomes = {}
    for name, case in cases.items():
        outcomes[name] = night_in_copy(
            api, case(generator(seed, name), world), folder / "base", folder / "lake"
        )
        show(kind, name, outcomes[name])
    stopped = sum(bool(outcome.stopped) for outcome in outcomes.values())
    print(f"{kind}: {len(outcomes)} runs, {stopped} stopped, {len(outcomes) - stopped} passed")
    return outcomes


def show(kind, name, outcome):
    message = f"stopped: {outcome.stopped}"[:MAX_LETTERS] if outcome.stopped else "passed"
    mark = " (tables replaced)" if outcome.stopped and outcome.replaced else ""
    print(f"{kind:4} {name:52} {outcome.seconds:5.1f} s  {message}{mark}", flush=True)
