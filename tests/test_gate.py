import numpy as np
import pyarrow as pa
import pytest

from pipelines.evaluate import LANE, MODEL, NDCG
from pipelines.gate import decide, difference
from pipelines.sweep import load
from serving.recommender import LANES

CUSTOMERS = 500
LANES_BY_ALS = dict.fromkeys(LANES, "als")


def judged(seed, **means):
    """Per model and lane, customers' NDCG around a mean, with noise that the models share in part."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.1, CUSTOMERS)
    tables = [
        pa.table(
            {
                MODEL: pa.repeat(model, CUSTOMERS),
                LANE: pa.repeat(lane, CUSTOMERS),
                "customer": [f"c{i}" for i in range(CUSTOMERS)],
                NDCG: mean + shared + rng.normal(0, 0.01, CUSTOMERS),
            }
        )
        for model, mean in means.items()
        for lane in LANES
    ]
    return pa.concat_tables(tables)


BASELINES = {"popularity": 0.1, "trend": 0.2, "repurchase": 0.3}


def test_the_difference_is_paired_by_customer(seed):
    settings = load().evaluation
    found = difference(
        judged(seed, challenger=0.32, champion=0.3), "challenger", "champion", "for-you", settings
    )
    # customers differ by 0.1, pairs by 0.014 alone: over 500 of them the interval is about +-0.0012
    assert found.mean == pytest.approx(0.02, abs=0.003)
    assert 0.001 < found.high - found.low < 0.005
    assert found.low < found.mean < found.high
    assert found.customers == CUSTOMERS


def test_a_first_model_that_beats_the_baselines_goes_live_as_it_is(seed):
    decision = decide(judged(seed, challenger=0.4, **BASELINES), LANES_BY_ALS, load(), has_champion=False)
    assert (decision.verdict, decision.lanes) == ("FIRST", LANES_BY_ALS)


def test_a_first_model_that_loses_leaves_the_lane_to_the_best_baseline(seed):
    decision = decide(judged(seed, challenger=0.25, **BASELINES), LANES_BY_ALS, load(), has_champion=False)
    assert decision.verdict == "FIRST"
    assert decision.lanes == dict.fromkeys(LANES, "repurchase")
    assert "for-you: may be worse than repurchase" in decision.reasons[0]


@pytest.mark.parametrize(
    ("challenger", "verdict"), [(0.4, "PROMOTED"), (0.42, "PROMOTED"), (0.35, "REFUSED")]
)
def test_a_challenger_goes_live_unless_it_is_worse_than_the_champion(seed, challenger, verdict):
    table = judged(seed, challenger=challenger, champion=0.4, **BASELINES)
    decision = decide(table, LANES_BY_ALS, load(), has_champion=True)
    assert decision.verdict == verdict
    assert len(decision.reasons) == len(LANES)
    assert all("NDCG@10" in reason for reason in decision.reasons)


def test_a_challenger_worse_than_a_baseline_is_refused_though_the_champion_is_worse_still(seed):
    table = judged(seed, challenger=0.25, champion=0.2, **BASELINES)
    assert decide(table, LANES_BY_ALS, load(), has_champion=True).verdict == "REFUSED"
