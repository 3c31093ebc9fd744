"""Re-ranking by product weight (a margin, for example): its strength is limited by its cost in NDCG@10."""

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from pipelines.evaluate import NDCG, evaluate, summary
from pipelines.gate.conditions import CHALLENGER, UNWEIGHTED
from pipelines.gate.settings import ProductWeightSettings
from pipelines.prepare.interactions import Interactions
from pipelines.sweep.choice import Metrics
from pipelines.train.bundle import product_weights
from pipelines.train.recipe import ModelSettings
from serving.bundle.format import Array, Bundle


def has_weights(products: pa.Table) -> bool:
    """Returns whether the weights in the table `products` differ; equal weights change no ranking."""
    weights = product_weights(products)
    return bool((weights != weights[:1]).any())


def with_strength(bundle: Bundle, strength: float) -> Bundle:
    """Returns the same bundle with lanes re-ranked by weight ** strength; 0 switches re-ranking off."""
    return replace(bundle, manifest=bundle.manifest | {"strength": strength})


def measure_strengths(
    bundle: Bundle, truth: Interactions, limits: ProductWeightSettings
) -> dict[float, Metrics]:
    """Returns the metrics by lane of each strength, and of strength 0, on the purchases after the cut."""
    measures = {
        strength: evaluate(with_strength(bundle, strength), truth, CHALLENGER)
        for strength in (0.0, *limits.strengths)
    }
    return {strength: summary(rows).get(CHALLENGER, {}) for strength, rows in measures.items()}


def strongest(trials: Mapping[float, Metrics], limits: ProductWeightSettings) -> float:
    """Returns the largest strength that costs no lane more than `most_lost` of its NDCG@10, or 0.

    trials: the result of `measure_strengths`.
    """
    least = {lane: metrics[NDCG] * (1 - limits.most_lost) for lane, metrics in trials[0.0].items()}
    allowed = (
        strength
        for strength, lanes in trials.items()
        if all(lanes[lane][NDCG] >= least[lane] for lane in least)
    )
    return max(allowed) if least else 0.0


def evaluate_challenger(
    bundle: Bundle, chosen: ModelSettings, truth: Interactions, segments: Array
) -> pa.Table:
    """Returns the measures of the challenger, and of the same model without re-ranking by weight."""
    served = replace(bundle, manifest=bundle.manifest | {"lanes": chosen.lanes})
    strengths = {UNWEIGHTED: 0.0, CHALLENGER: chosen.strength}
    return pa.concat_tables(
        [
            evaluate(with_strength(served, strength), truth, model, segments=segments)
            for model, strength in strengths.items()
        ]
    )
