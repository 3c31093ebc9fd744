"""Measures of a bundle per lane and customer: its recommendations against what the customer bought."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipelines import columns as c
from pipelines.evaluate.names import CATALOGUE, LANE, MODEL, PER_CUSTOMER, RMSE, SCHEMA, SEGMENT, TOP
from pipelines.evaluate.ranking import NO_PRODUCT, Ranking, rank, rank_metrics, rmse
from pipelines.evaluate.segments import UNKNOWN
from pipelines.evaluate.traits import trait_metrics, traits
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import locate
from serving.bundle.format import Array, Bundle
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import Scorer, component_scores, restrict_to_lane, trend_scores

CELLS = 2**22  # scores per batch; a score takes some 30 bytes
# known customers that are measured per window, and as many unknown ones; more would change no decision
MAX_CUSTOMERS = 20_000


@dataclass(frozen=True)
class Window:
    """What C customers bought after the cut, and their rows and segments at the cut."""

    customers: Array  # (C,) bytes
    bought: sp.csr_matrix  # (C, P) float32
    row: Array  # (C,) int64, row in the bundle, -1 for unknown customers
    segment: Array  # (C,) str or None


@dataclass(frozen=True)
class Scores:
    """Scores of n customers in a lane."""

    lane: Lane
    customers: Array  # (n,) int64, rows of the window
    values: Array  # (n, P) float32
    preferences: bool  # whether scores predict 0 or 1, so that RMSE makes sense


def evaluate(
    bundle: Bundle,
    truth: Interactions,
    model: str,
    component: str | Scorer | None = None,
    segments: Array | None = None,
) -> pa.Table:
    """Returns the measures, one row per lane and customer, in the columns of `names.SCHEMA`.

    truth: purchases after the bundle's cut, over the same products. component: a component's name or a
    function that scores; None means each lane's own component. segments: (C,) str, `customer_segments` of
    the interactions that the bundle was fitted on; if None, the segment of known customers is null.

    - Customers unknown at the cut are in lane for-you only, in segment `unknown`.
    - A metric is null if the customer has nothing to measure it on.
    - Of more than MAX_CUSTOMERS buyers the first by pseudonym are measured: pseudonyms are random, so this
      is a fair sample, and the same for every model.
    """
    window, properties = _window(bundle, truth, segments), traits(bundle)
    parts: dict[Lane, list[pa.Table]] = {lane: [SCHEMA.empty_table()] for lane in LANES}
    sold = bundle.popularity > 0
    for scores in chain(_known(bundle, window, component), _unknown(bundle, window, component)):
        for customers, values, ranking in _ranked(window, scores, sold):
            metrics = rank_metrics(ranking) | trait_metrics(ranking, properties)
            if scores.preferences:
                metrics[RMSE] = rmse(values, ranking)
            constant = {MODEL: model, LANE: scores.lane, CATALOGUE: len(bundle.products)}
            parts[scores.lane].append(_table(window, customers, metrics, ranking, constant))
    return pa.concat_tables([table for lane in LANES for table in parts[lane]])


def _window(bundle: Bundle, truth: Interactions, segments: Array | None) -> Window:
    """Returns the customers of the truth, with their rows in the bundle and their segments."""
    row, known = locate(bundle.customers, truth.customers)
    segment = np.full(len(bundle.customers), None) if segments is None else segments.astype(object)
    return Window(
        truth.customers,
        truth.matrix(truth.quantity),
        np.where(known, row, -1),
        np.where(known, segment[row], UNKNOWN),
    )


def _known(bundle: Bundle, window: Window, component: str | Scorer | None) -> Iterator[Scores]:
    """Yields the scores of known customers in each lane; a component scores once for all lanes."""
    lanes = {lane: component or bundle.manifest["lanes"][lane] for lane in LANES}
    as_scored = component is not None
    plain = (as_scored or not bundle.strength) and not (bundle.boost != 1).any()
    for customers in _batches(window, window.row >= 0):
        rows, scored = window.row[customers], dict[str | Scorer, Array]()
        for lane, scorer in lanes.items():
            if scorer not in scored:
                scored[scorer] = component_scores(scorer, bundle, rows)
            values = restrict_to_lane(bundle, rows, lane, scored[scorer].copy(), as_scored)
            yield Scores(lane, customers, values, plain and scorer == "als")


def _unknown(bundle: Bundle, window: Window, component: str | Scorer | None) -> Iterator[Scores]:
    """Yields trend (or popularity) scores for customers who were unknown at the cut."""
    values = trend_scores(bundle, bundle.popularity if component == "popularity" else bundle.trend)
    for customers in _batches(window, window.row < 0):
        yield Scores("for-you", customers, np.tile(values, (len(customers), 1)), False)


def _batches(window: Window, among: Array) -> Iterator[Array]:
    """Yields the buyers among some customers of a window, (C,) bool, in batches that fit in memory."""
    buyers = np.flatnonzero((np.diff(window.bought.indptr) > 0) & among)[:MAX_CUSTOMERS]
    size = max(1, CELLS // window.bought.shape[1])
    yield from (buyers[start : start + size] for start in range(0, len(buyers), size))


def _ranked(window: Window, scores: Scores, sold: Array) -> Iterator[tuple[Array, Array, Ranking]]:
    """Yields the customers with a true product, their scores and their ranking; nothing if there is none.

    sold: (P,) bool, products with a buyer at the cut. Only they count as truth, even if a model can recommend
    others, so that all models are measured on the same purchases.
    """
    customers, values = scores.customers, scores.values
    rows, products = window.bought[customers].nonzero()
    allowed = (values[rows, products] > -np.inf) & sold[products]
    measured, row = np.unique(rows[allowed], return_inverse=True)
    if len(measured):
        values = values if len(measured) == len(customers) else values[measured]
        yield customers[measured], values, rank(values, row, products[allowed])


def _table(
    window: Window, customers: Array, metrics: dict[str, Array], ranking: Ranking, constant: dict[str, object]
) -> pa.Table:
    missing = np.full(len(customers), np.nan)
    exists = ranking.top != NO_PRODUCT
    ends = np.r_[0, np.cumsum(exists.sum(axis=1))]
    columns = {name: metrics.get(name, missing) for name in PER_CUSTOMER} | {
        name: np.full(len(customers), value) for name, value in constant.items()
    }
    columns[c.CUSTOMER] = window.customers[customers].astype(str)
    columns[SEGMENT] = window.segment[customers]
    arrays = {
        name: pa.array(values, SCHEMA.field(name).type, from_pandas=True) for name, values in columns.items()
    }
    arrays[TOP] = pa.ListArray.from_arrays(ends.astype(np.int32), ranking.top[exists])
    return pa.table(arrays).select(SCHEMA.names)
