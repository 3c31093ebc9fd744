"""Which of the sweep's candidates win on the validation window."""

from collections.abc import Mapping

from pipelines.evaluate import NDCG
from pipelines.train.als import AlsSettings
from pipelines.train.recipe import Candidate, HalfLives, ModelSettings
from serving.recommend.lanes import LANES
from serving.recommend.recommender import BASELINES

Metrics = Mapping[str, Mapping[str, float]]  # lane -> metric -> mean over customers


def choose(tried: list[tuple[Candidate, Metrics]]) -> ModelSettings:
    """The settings and lanes that were best on the validation window.

    Trend and re-purchase are the best of their kind for everything. Of the others those ALS settings,
    alone or with a ranker over them, are taken with which the lanes, each answered by its best
    component, score highest together. A ranker that is best in no lane is left out.
    """
    baselines: dict[str, tuple[Candidate, Metrics]] = {name: _best_of(tried, name) for name in BASELINES}
    plain: dict[str, Metrics] = {name: metrics for name, (_, metrics) in baselines.items()}
    factors = {candidate.als: metrics for candidate, metrics in tried if candidate.component == "als"}
    options = [(als, None, plain | {"als": metrics}) for als, metrics in factors.items()] + [
        (one.als, one.ranker, plain | {"als": factors.get(one.als, {}), "ranker": metrics})
        for one, metrics in tried
        if one.component == "ranker"
    ]
    als, ranker, scored = max(options, key=lambda option: _together(option[2]))
    lanes = {lane: best_component(scored, lane) for lane in LANES}
    half_lives = {name: baselines[name][0].half_life_days for name in ("trend", "repurchase")}
    return ModelSettings(
        als=als or AlsSettings.model_validate({}),
        ranker=ranker if "ranker" in lanes.values() else None,
        half_lives=HalfLives.model_validate(half_lives),
        lanes=lanes,
    )


def best_component(scored: Mapping[str, Metrics], lane: str) -> str:
    """The component with the highest NDCG in a lane; the first of equals."""
    return max(scored, key=lambda name: _ndcg(scored[name], lane))


def _together(scored: Mapping[str, Metrics]) -> float:
    """The sum over lanes of the best NDCG in each."""
    return sum(max(_ndcg(metrics, lane) for metrics in scored.values()) for lane in LANES)


def _best_of(tried: list[tuple[Candidate, Metrics]], component: str) -> tuple[Candidate, Metrics]:
    same = [pair for pair in tried if pair[0].component == component]
    return max(same, key=lambda pair: sum(_ndcg(pair[1], lane) for lane in LANES))


def _ndcg(metrics: Metrics, lane: str) -> float:
    return metrics.get(lane, {}).get(NDCG, 0.0)
