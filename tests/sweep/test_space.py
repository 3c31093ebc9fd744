import pytest

from pipelines.evaluate import NDCG
from pipelines.sweep.choice import choose
from pipelines.sweep.space import FILE, candidates, edges, load
from pipelines.train.als import AlsSettings
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import Candidate
from serving.errors import NightshelfError


def lanes(for_you, buy_again, discover):
    return {"for-you": {NDCG: for_you}, "buy-again": {NDCG: buy_again}, "discover": {NDCG: discover}}


def test_the_default_sweep_tries_twelve_different_als_settings_and_every_baseline():
    found = candidates("default")
    settings = [candidate.als for candidate in found if candidate.component == "als"]
    assert len(set(settings)) == len(settings) == 12
    assert {one.component for one in found} == {"popularity", "trend", "repurchase", "als", "ranker"}
    assert len({candidate.name for candidate in found}) == len(found)
    assert found == candidates("default")  # drawn with a seed


def test_an_unknown_sweep_names_those_there_are():
    with pytest.raises(NightshelfError, match=r"no sweep 'big' in sweep.toml; there are: default, quick"):
        candidates("big")


def test_a_sweep_file_that_cannot_be_used_says_where(tmp_path):
    wrong = tmp_path / "sweep.toml"
    wrong.write_text(FILE.read_text().replace("draws = 12", 'draws = "many"'))
    with pytest.raises(NightshelfError, match=r"sweeps\.default\.draws"):
        load(wrong)


def test_each_lane_gets_its_best_component_and_als_the_settings_that_help_the_lanes_most():
    first, second = (
        Candidate(name=f"als-{rank}", component="als", als=AlsSettings(rank=rank)) for rank in (32, 64)
    )
    tried = [
        (Candidate(name="popularity", component="popularity"), lanes(0.1, 0.1, 0.1)),
        (Candidate(name="trend-7d", component="trend", half_life_days=7), lanes(0.2, 0.2, 0.2)),
        (Candidate(name="trend-28d", component="trend", half_life_days=28), lanes(0.15, 0.1, 0.1)),
        (Candidate(name="repurchase-30d", component="repurchase", half_life_days=30), lanes(0.4, 0.5, 0.0)),
        (first, lanes(0.39, 0.49, 0.25)),  # better where re-purchase answers anyway
        (second, lanes(0.2, 0.2, 0.3)),  # better where ALS will answer
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
        (lanes(0.46, 0.5, 0.2), 64, 9, ("ranker", "repurchase", "als")),  # over the other ALS settings
        (lanes(0.41, 0.5, 0.2), 32, None, ("repurchase", "repurchase", "als")),  # wins less than is lost
        (lanes(0.1, 0.1, 0.1), 32, None, ("repurchase", "repurchase", "als")),
        (lanes(0.5, 0.6, 0.4), 64, 9, ("ranker", "ranker", "ranker")),
    ],
)
def test_the_ranker_answers_the_lanes_it_wins_over_its_own_als_settings(measured, rank, trees, answering):
    ranker = Candidate(name="r", component="ranker", als=FACTORS[64], ranker=RankerSettings(trees=9))
    chosen = choose([*SIMPLE, *ALS, (ranker, measured)])
    assert (chosen.als.rank, chosen.ranker and chosen.ranker.trees) == (rank, trees)
    assert tuple(chosen.lanes.values()) == answering


def test_rankers_are_tried_over_als_settings_that_are_tried_alone_too():
    found = candidates("default")
    factors = [one.als for one in found if one.component == "als"]
    rankers = [one for one in found if one.component == "ranker"]
    assert rankers
    assert all(one.als in factors and one.ranker for one in rankers)
    assert {"rank", "trend_power", "ranker_trees", "ranker_windows"} <= rankers[0].params().keys()


def test_settings_at_the_edge_of_the_grid_are_named():
    middle = AlsSettings(
        rank=64, regularisation=1, alpha=10, half_life_days=30, iterations=10, trend_power=0.5
    )
    assert edges(middle, "default") == ["regularisation"]
    assert edges(middle.model_copy(update={"rank": 96, "regularisation": 5}), "default") == ["rank"]
