"""No bad night reaches training, and no good one is stopped: the table of the data gate."""

import datetime as dt
import random
import shutil

import pytest
from bad_nights import BAD
from good_nights import GOOD
from homes import SOAK, fresh_home, served
from nights import LAST, Window, generator, night, night_apart, ordinary

from pipelines.settings import settings

WEEK = 7
FEWEST = 40
SOME = 1000 if SOAK else 2  # of each kind, drawn by the seed
TOLD = 110  # letters of a sentence
# Tables this small are sooner read than code for them is compiled.
SMALL = {"shuffle.partitions": "1", "codegen.wholeStage": "false", "codegen.factoryMode": "NO_CODEGEN"}


@pytest.fixture(scope="module")
def small_tables(spark):
    """The Spark session as it is quickest with tables of some thousand rows."""
    names = {f"spark.sql.{name}": value for name, value in SMALL.items()}
    before = {name: spark.conf.get(name) for name in names}
    for name, value in names.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)


def test_no_bad_night_reaches_training_and_no_good_one_is_stopped(small_tables, seed, tmp_path, capsys):
    world = ordinary(seed)
    window = Window(world)
    with (
        served(window.app()) as address,
        fresh_home(tmp_path / "home", **shop_at(address)),
        capsys.disabled(),
    ):
        print(f"\nseed {seed}")
        week = ordinary_week(window, world)
        shutil.copytree(settings().lake_url, tmp_path / "base")
        bad, good = (
            table(kind, window, world, drawn(cases, seed), seed, tmp_path)
            for kind, cases in (("bad", BAD), ("good", GOOD))
        )
    good = week | good
    assert min(len(BAD), len(GOOD)) >= FEWEST
    assert [name for name, got in bad.items() if not got.stopped] == []
    assert [name for name, got in bad.items() if got.learned] == []
    assert {name: got.stopped for name, got in good.items() if got.stopped} == {}


def drawn(cases, seed):
    """The cases of this run, in their order."""
    some = set(random.Random(seed).sample(sorted(cases), min(SOME, len(cases))))
    return {name: case for name, case in cases.items() if name in some}


def shop_at(address):
    told = {"URL": address, "PASSWORD": "a password for tests", "SINCE": "since", "PAGE_SIZE": 1000}
    told |= {"RATE": 10_000, "TRIES": 2, "BACKOFF": 0}
    return {f"SHOP_{name}": value for name, value in told.items()}


def ordinary_week(window, world):
    """What the nights of the week before got, each on the one before it; the base of all others."""
    got = {}
    for back in range(WEEK, 0, -1):
        day = LAST - dt.timedelta(days=back)
        name = f"an ordinary {day:%A} before"
        got[name] = night(window, world.at(day))
        show("good", name, got[name])
    return got


def table(kind, window, world, cases, seed, folder):
    """What each night got by name, printed as it comes."""
    found = {}
    for name, case in cases.items():
        found[name] = night_apart(
            window, case(generator(seed, name), world), folder / "base", folder / "lake"
        )
        show(kind, name, found[name])
    stopped = sum(bool(got.stopped) for got in found.values())
    print(f"{kind}: {len(found)} nights, {stopped} stopped, {len(found) - stopped} passed")
    return found


def show(kind, name, got):
    told = f"stopped: {got.stopped}"[:TOLD] if got.stopped else "passed"
    mark = " (tables replaced)" if got.stopped and got.learned else ""
    print(f"{kind:4} {name:52} {got.seconds:5.1f} s  {told}{mark}", flush=True)
