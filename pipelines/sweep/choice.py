"""Chooses settings and components by the validation window."""

from collections.abc import Mapping

from pipelines.evaluate import NDCG
from pipelines.train.als import AlsSettings
from pipelines.train.recipe import Candidate, HalfLives, ModelSettings
from serving.recommend.lanes import LANES
from serving.recommend.recommender import BASELINES

Metrics = Mapping[str, Mapping[str, float]]  # lane -> metric -> mean over customers


def choose(trials: list[tuple[Candidate, Metrics]]) -> ModelSettings:
    """Returns the settings, and the component of each lane, that were best on the validation window.

    Trend and re-purchase each get the half-life with the highest sum of NDCG@10 over the lanes. Of the ALS
    settings, alone or with a ranker, those are chosen whose lanes have the highest sum, each lane answered by
    its best component. A ranker that is best in no lane is left out.
    """
    baselines: dict[str, tuple[Candidate, Metrics]] = {name: _best_of(trials, name) for name in BASELINES}
    plain: dict[str, Metrics] = {name: metrics for name, (_, metrics) in baselines.items()}
    by_als = {candidate.als: metrics for candidate, metrics in trials if candidate.component == "als"}
    options = [(als, None, plain | {"als": metrics}) for als, metrics in by_als.items()] + [
        (candidate.als, candidate.ranker, plain | {"als": by_als.get(candidate.als, {}), "ranker": metrics})
        for candidate, metrics in trials
        if candidate.component == "ranker"
    ]
    als, ranker, scored = max(options, key=lambda option: _sum_of_best(option[2]))
    lanes = {lane: best_component(scored, lane) for lane in LANES}
    half_lives = {name: baselines[name][0].half_life_days for name in ("trend", "repurchase")}
    return ModelSettings(
        als=als or AlsSettings.model_validate({}),
        ranker=ranker if "ranker" in lanes.values() else None,
        half_lives=HalfLives.model_validate(half_lives),
        lanes=lanes,
    )


def best_component(scored: Mapping[str, Metrics], lane: str) -> str:
    """Returns the component with the highest NDCG@10 in a lane; the first one if several have it."""
    return max(scored, key=lambda name: _ndcg(scored[name], lane))


def _sum_of_best(scored: Mapping[str, Metrics]) -> float:
    """Returns the sum over lanes of the best component's NDCG@10."""
    return sum(max(_ndcg(metrics, lane) for metrics in scored.values()) for lane in LANES)


def _best_of(trials: list[tuple[Candidate, Metrics]], component: str) -> tuple[Candidate, Metrics]:
    """Returns the candidate of a component with the highest sum of NDCG@10 over lanes, and its metrics."""
    own_trials = [pair for pair in trials if pair[0].component == component]
    return max(own_trials, key=lambda pair: sum(_ndcg(pair[1], lane) for lane in LANES))


def _ndcg(metrics: Metrics, lane: str) -> float:
    return metrics.get(lane, {}).get(NDCG, 0.0)
