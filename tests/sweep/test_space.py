"""The search space, and the choice among its candidates."""

import pytest

from pipelines.evaluate import NDCG
from pipelines.sweep.choice import choose
from pipelines.sweep.space import FILE, candidates, edges, load
from pipelines.train.als import AlsSettings
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import Candidate
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast


def lanes(for_you, buy_again, discover):
    return {"for-you": {NDCG: for_you}, "buy-again": {NDCG: buy_again}, "discover": {NDCG: discover}}


def test_the_default_sweep_tries_twelve_different_als_settings_and_every_baseline():
    tried = candidates("default")
    settings = [candidate.als for candidate in tried if candidate.component == "als"]
    assert len(set(settings)) == len(settings) == 12
    assert {candidate.component for candidate in tried} == {
        "popularity",
        "trend",
        "repurchase",
        "als",
        "ranker",
    }
    assert len({candidate.name for candidate in tried}) == len(tried)
    assert tried == candidates("default")  # sampled with a fixed seed


def test_an_unknown_sweep_raises_naming_the_existing_ones():
    with pytest.raises(NightshelfError, match="'big': choose one of default, quick"):
        candidates("big")


def test_an_invalid_sweep_file_raises_naming_the_key(tmp_path):
    wrong = tmp_path / "sweep.toml"
    wrong.write_text(FILE.read_text().replace("draws = 12", 'draws = "many"'))
    with pytest.raises(NightshelfError, match=r"sweeps\.default\.draws"):
        load(wrong)


def test_chooses_each_lanes_best_component_and_the_als_settings_with_the_highest_sum():
    first, second = (
        Candidate(name=f"als-{rank}", component="als", als=AlsSettings(rank=rank)) for rank in (32, 64)
    )
    tried = [
        (Candidate(name="popularity", component="popularity"), lanes(0.1, 0.1, 0.1)),
        (Candidate(name="trend-7d", component="trend", half_life_days=7), lanes(0.2, 0.2, 0.2)),
        (Candidate(name="trend-28d", component="trend", half_life_days=28), lanes(0.15, 0.1, 0.1)),
        (Candidate(name="repurchase-30d", component="repurchase", half_life_days=30), lanes(0.4, 0.5, 0.0)),
        (first, lanes(0.39, 0.49, 0.25)),  # better in lanes that re-purchase wins anyway
        (second, lanes(0.2, 0.2, 0.3)),  # better in the lane that ALS wins
    ]
    chosen = choose(tried)
    assert chosen.als.rank == 64
    assert chosen.lanes == {"for-you": "repurchase", "buy-again": "repurchase", "discover": "als"}
    assert (chosen.half_lives.trend, chosen.half_lives.repurchase) == (7, 30)


SIMPLE = [
    (Candidate(name="popularity", component="popularity"), lanes(0.1, 0.1, 0.1)),
    (Candidate(name="trend-7d", component="trend", half_life_days=7), lanes(0.2, 0.2, 0.2)),
    (Candidate(name="repurchase-30d", component="repurchase", half_life_days=30), lanes(0.4, 0.5, 0.0)),
]
FACTORS = {rank: AlsSettings(rank=rank) for rank in (32, 64)}
ALS = [
    (Candidate(name="als-01", component="als", als=FACTORS[32]), lanes(0.2, 0.2, 0.30)),
    (Candidate(name="als-02", component="als", als=FACTORS[64]), lanes(0.2, 0.2, 0.25)),
]


@pytest.mark.parametrize(
    ("measured", "rank", "trees", "answering"),
    [
        (lanes(0.46, 0.5, 0.2), 64, 9, ("ranker", "repurchase", "als")),  # with the other ALS settings
        # gains less than the worse ALS settings lose
        (lanes(0.41, 0.5, 0.2), 32, None, ("repurchase", "repurchase", "als")),
        (lanes(0.1, 0.1, 0.1), 32, None, ("repurchase", "repurchase", "als")),
        (lanes(0.5, 0.6, 0.4), 64, 9, ("ranker", "ranker", "ranker")),
    ],
)
def test_the_ranker_answers_the_lanes_that_it_wins(measured, rank, trees, answering):
    ranker = Candidate(name="r", component="ranker", als=FACTORS[64], ranker=RankerSettings(trees=9))
    chosen = choose([*SIMPLE, *ALS, (ranker, measured)])
    assert (chosen.als.rank, chosen.ranker and chosen.ranker.trees) == (rank, trees)
    assert tuple(chosen.lanes.values()) == answering


def test_rankers_use_als_settings_that_are_candidates_too():
    tried = candidates("default")
    factors = [candidate.als for candidate in tried if candidate.component == "als"]
    rankers = [candidate for candidate in tried if candidate.component == "ranker"]
    assert rankers
    assert all(candidate.als in factors and candidate.ranker for candidate in rankers)
    assert {"rank", "trend_power", "ranker_trees", "ranker_windows"} <= rankers[0].params().keys()


def test_edges_names_settings_at_the_edge_of_the_search_space():
    middle = AlsSettings(
        rank=64, regularisation=1, alpha=10, half_life_days=30, iterations=10, trend_power=0.5
    )
    assert edges(middle, "default") == ["regularisation"]
    assert edges(middle.model_copy(update={"rank": 96, "regularisation": 5}), "default") == ["rank"]
