"""Step `backtest_champion`: measures the champion on the orders that came in since it was fitted."""

from pipelines import evaluate as evaluation
from pipelines.evaluate import backtest, night_data
from pipelines.gate import conditions
from pipelines.lake import tables
from pipelines.registry import versions
from pipelines.run import pins, tracking
from pipelines.run.night import Night

KEPT_DAYS = 30  # days whose measures by customer stay in the lake


def run(night: Night) -> dict[str, float]:
    """Returns the champion's NDCG@10 by lane and on how many customers; {} without a readable champion."""
    champion = versions.champion()
    bundle = versions.readable_bundle(champion.version) if champion else None
    if champion is None or bundle is None:
        return {}
    measures = backtest.evaluate_since(bundle, night_data.load(night).known, conditions.CHAMPION)
    tables.keep_latest("live", KEPT_DAYS)
    tables.write(pins.own_table(night, tables.BACKTEST), measures)
    means = evaluation.summary(measures).get(conditions.CHAMPION, {})
    flat = evaluation.flatten(means, (evaluation.NDCG, evaluation.CUSTOMERS))
    metrics = {f"live_{name}": value for name, value in flat.items()}
    tracking.log(night.run_id, metrics=metrics)
    if str(night.as_of) >= champion.backtested_until:  # a run of an earlier day knows less
        tags = {name: f"{value:.6f}" for name, value in metrics.items()}
        versions.add_tags(champion.version, tags | {versions.LIVE_AS_OF: str(night.as_of)})
    return metrics
