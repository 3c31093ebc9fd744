"""How much the products' weight, a margin say, may count in an answer: as far as its cost is bounded."""

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
    """Whether the products of the table `products` have weights, by which an answer could be re-ranked."""
    found = product_weights(products)
    return bool((found != found[:1]).any())


def with_strength(bundle: Bundle, strength: float) -> Bundle:
    """The same bundle, whose lanes are re-ranked by weight ** strength; 0 leaves them as they are scored."""
    return replace(bundle, manifest=bundle.manifest | {"strength": strength})


def measure_strengths(
    bundle: Bundle, truth: Interactions, bounds: ProductWeightSettings
) -> dict[float, Metrics]:
    """What each strength, and none at all (0), is worth on what happened after a bundle's cut."""
    found = {one: evaluate(with_strength(bundle, one), truth, CHALLENGER) for one in (0.0, *bounds.strengths)}
    return {one: summary(judged).get(CHALLENGER, {}) for one, judged in found.items()}


def strongest(found: Mapping[float, Metrics], bounds: ProductWeightSettings) -> float:
    """The largest strength that costs no lane more of its NDCG@10 than is allowed.

    found: as `tried` tells. 0 where each costs too much, or nothing could be measured.
    """
    least = {lane: metrics[NDCG] * (1 - bounds.most_lost) for lane, metrics in found[0.0].items()}
    allowed = (one for one, lanes in found.items() if all(lanes[lane][NDCG] >= least[lane] for lane in least))
    return max(allowed) if least else 0.0


def evaluate_challenger(
    bundle: Bundle, chosen: ModelSettings, truth: Interactions, segments: Array
) -> pa.Table:
    """The rows of `evaluate` for what serves, and for the same without the weights."""
    serving = replace(bundle, manifest=bundle.manifest | {"lanes": chosen.lanes})
    strengths = {UNWEIGHTED: 0.0, CHALLENGER: chosen.strength}
    return pa.concat_tables(
        [
            evaluate(with_strength(serving, one), truth, model, segments=segments)
            for model, one in strengths.items()
        ]
    )
