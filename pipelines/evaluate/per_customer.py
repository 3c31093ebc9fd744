"""Measures of a bundle per lane and customer: its recommendations against what the customer bought."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipelines import columns as c
from pipelines.evaluate.names import (
    CATALOGUE,
    LANE,
    MODEL,
    NO_PRODUCT,
    PER_CUSTOMER,
    RMSE,
    SCHEMA,
    SEGMENT,
    TOP,
)
from pipelines.evaluate.ranking import Ranking, Sorted, rank, rank_metrics, rmse
from pipelines.evaluate.segments import UNKNOWN
from pipelines.evaluate.traits import Traits, trait_metrics, traits
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct, locate
from pipelines.run.threads import spread
from serving.bundle.format import Array, Bundle
from serving.recommend.history import purchases
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import Scorer, component_scores, restrict_to_lane, trend_scores

CELLS = 2**21  # scores of a batch; a score takes some 12 bytes, and each core has a batch
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
    among: Sorted | None = None  # the scores sorted, if another lane has sorted them


Batch = tuple[Callable[[Bundle, Window, str | Scorer | None, Array], Iterator[Scores]], Array]


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
    sold = bundle.popularity > 0

    def measured(batch: Batch) -> list[tuple[Lane, pa.Table]]:
        scored, customers = batch
        return [
            (scores.lane, _measured(window, scores, sold, properties, model))
            for scores in scored(bundle, window, component, customers)
        ]

    tables = [table for part in spread(measured, _batches(window)) for table in part]
    in_order = [table for lane in LANES for own, table in tables if own == lane]
    return pa.concat_tables([SCHEMA.empty_table(), *in_order])


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


def _batches(window: Window) -> Iterator[Batch]:
    """Yields the buyers of a window, those unknown at the cut last, in batches that fit in memory."""
    size = max(1, CELLS // window.bought.shape[1])
    for scored, among in ((_known, window.row >= 0), (_unknown, window.row < 0)):
        buyers = np.flatnonzero((np.diff(window.bought.indptr) > 0) & among)[:MAX_CUSTOMERS]
        yield from ((scored, buyers[start : start + size]) for start in range(0, len(buyers), size))


def _known(
    bundle: Bundle, window: Window, component: str | Scorer | None, customers: Array
) -> Iterator[Scores]:
    """Yields the scores of known customers in each lane; a component scores once for all lanes."""
    lanes = {lane: component or bundle.manifest["lanes"][lane] for lane in LANES}
    as_scored = component is not None
    plain = (as_scored or not bundle.strength) and not (bundle.boost != 1).any()
    rows, scored = window.row[customers], dict[str | Scorer, tuple[Array, Sorted]]()
    for lane, scorer in lanes.items():
        if scorer not in scored:
            values = component_scores(scorer, bundle, rows)
            scored[scorer] = values, Sorted.of(values)
        values, among = scored[scorer]
        restricted = restrict_to_lane(bundle, rows, lane, values.copy(), as_scored)
        if lane == "discover":
            among = _without_bought(bundle, rows, values, among)
        is_reweighted = not as_scored and bundle.strength
        yield Scores(lane, customers, restricted, plain and scorer == "als", None if is_reweighted else among)


def _without_bought(bundle: Bundle, rows: Array, values: Array, among: Sorted) -> Sorted:
    """Returns sorted scores of which the products already bought are excluded."""
    customers, history_rows = purchases(bundle, rows)
    width = values.shape[1]
    pairs = distinct(customers * width + bundle.history_product[history_rows])
    starts = np.searchsorted(pairs, np.arange(len(rows) + 1) * width)
    return Sorted(among.ascending, values.ravel()[pairs], starts)


def _unknown(
    bundle: Bundle, window: Window, component: str | Scorer | None, customers: Array
) -> Iterator[Scores]:
    """Yields trend (or popularity) scores for customers who were unknown at the cut."""
    values = trend_scores(bundle, bundle.popularity if component == "popularity" else bundle.trend)
    yield Scores("for-you", customers, np.tile(values, (len(customers), 1)), False)


def _measured(window: Window, scores: Scores, sold: Array, properties: Traits, model: str) -> pa.Table:
    """Returns the measures of the customers with a true product.

    sold: (P,) bool, products with a buyer at the cut. Only they count as truth, even if a model can recommend
    others, so that all models are measured on the same purchases.
    """
    customers, values = scores.customers, scores.values
    rows, products = window.bought[customers].nonzero()
    allowed = (values[rows, products] > -np.inf) & sold[products]
    measured, row = np.unique(rows[allowed], return_inverse=True)
    if not len(measured):
        return SCHEMA.empty_table()
    among = scores.among
    if len(measured) < len(customers):
        values, among = values[measured], among and among.of_customers(measured)
    ranking = rank(values, row, products[allowed], among)
    metrics = rank_metrics(ranking) | trait_metrics(ranking, properties)
    if scores.preferences:
        metrics[RMSE] = rmse(values, ranking)
    constant = {MODEL: model, LANE: scores.lane, CATALOGUE: len(properties.head)}
    return _table(window, customers[measured], metrics, ranking, constant)


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
