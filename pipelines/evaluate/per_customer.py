"""One row per lane and judged customer: the answers of a bundle beside what was bought."""

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

CELLS = 2**22  # scores at once; a cell takes some 30 bytes
MAX_CUSTOMERS = (
    20_000  # known customers of a window at most, and strangers: more narrow no interval that decides
)


@dataclass(frozen=True)
class Window:
    """What C customers bought after the cut, and what was known of them before it."""

    customers: Array  # (C,) bytes
    bought: sp.csr_matrix  # (C, P)
    row: Array  # (C,) the customer's row in the bundle, -1 where unknown
    group: Array  # (C,) str or None


@dataclass(frozen=True)
class Answers:
    """What n people are answered in a lane."""

    lane: Lane
    people: Array  # (n,) rows of the window
    values: Array  # (n, P)
    preferences: bool  # whether a score says how likely 1 is, rather than 0


def evaluate(
    bundle: Bundle,
    truth: Interactions,
    model: str,
    component: str | Scorer | None = None,
    groups: Array | None = None,
) -> pa.Table:
    """One row per lane and judged customer, in the columns of `names.SCHEMA`.

    truth: purchases after the bundle's cut, over the same products. component: what scores, or its
    name; each lane's own where None. groups: (C,) `customer_groups` of what the bundle was learned from; the
    group of a known customer is null where None. Who was unknown at the cut is in lane for-you
    alone, as group `unknown`. A metric is null where a customer has nothing to measure it on.

    Of more than JUDGED buyers those are judged who sort first: a fair draw, since pseudonyms are as good as
    random, and the same for every model.
    """
    window, known = _window(bundle, truth, groups), traits(bundle)
    parts: dict[Lane, list[pa.Table]] = {lane: [SCHEMA.empty_table()] for lane in LANES}
    sold = bundle.popularity > 0
    for answers in chain(_known(bundle, window, component), _strangers(bundle, window, component)):
        for people, values, ranking in _ranked(window, answers, sold):
            metrics = rank_metrics(ranking) | trait_metrics(ranking, known)
            if answers.preferences:
                metrics[RMSE] = rmse(values, ranking)
            constant = {MODEL: model, LANE: answers.lane, CATALOGUE: len(bundle.products)}
            parts[answers.lane].append(_table(window, people, metrics, ranking, constant))
    return pa.concat_tables([table for lane in LANES for table in parts[lane]])


def _window(bundle: Bundle, truth: Interactions, groups: Array | None) -> Window:
    at, known = locate(bundle.customers, truth.customers)
    group = np.full(len(bundle.customers), None) if groups is None else groups.astype(object)
    return Window(
        truth.customers,
        truth.matrix(truth.quantity),
        np.where(known, at, -1),
        np.where(known, group[at], UNKNOWN),
    )


def _known(bundle: Bundle, window: Window, component: str | Scorer | None) -> Iterator[Answers]:
    """What known customers are answered in each lane; a component scores once for all lanes."""
    lanes = {lane: component or bundle.manifest["lanes"][lane] for lane in LANES}
    as_scored = component is not None
    plain = (as_scored or not bundle.strength) and not (bundle.boost != 1).any()
    for people in _batches(window, window.row >= 0):
        rows, scored = window.row[people], dict[str | Scorer, Array]()
        for lane, asked in lanes.items():
            if asked not in scored:
                scored[asked] = component_scores(asked, bundle, rows)
            values = restrict_to_lane(bundle, rows, lane, scored[asked].copy(), as_scored)
            yield Answers(lane, people, values, plain and asked == "als")


def _strangers(bundle: Bundle, window: Window, component: str | Scorer | None) -> Iterator[Answers]:
    """What trends, or is popular, for who was unknown at the cut."""
    everyone = trend_scores(bundle, bundle.popularity if component == "popularity" else bundle.trend)
    for people in _batches(window, window.row < 0):
        yield Answers("for-you", people, np.tile(everyone, (len(people), 1)), False)


def _batches(window: Window, among: Array) -> Iterator[Array]:
    """The judged buyers among the customers of a window, so many at once as memory allows."""
    buyers = np.flatnonzero((np.diff(window.bought.indptr) > 0) & among)[:MAX_CUSTOMERS]
    size = max(1, CELLS // window.bought.shape[1])
    yield from (buyers[start : start + size] for start in range(0, len(buyers), size))


def _ranked(window: Window, answers: Answers, sold: Array) -> Iterator[tuple[Array, Array, Ranking]]:
    """People who bought something that the lane may answer, their scores and ranking; nothing without any.

    sold: (P,) bool, what had a buyer at the cut. Nothing else is true, though some models may answer it:
    all are judged by the same purchases.
    """
    people, values = answers.people, answers.values
    rows, products = window.bought[people].nonzero()
    allowed = (values[rows, products] > -np.inf) & sold[products]
    judged, row = np.unique(rows[allowed], return_inverse=True)
    if len(judged):
        values = values if len(judged) == len(people) else values[judged]
        yield people[judged], values, rank(values, row, products[allowed])


def _table(
    window: Window, people: Array, metrics: dict[str, Array], ranking: Ranking, constant: dict[str, object]
) -> pa.Table:
    nothing = np.full(len(people), np.nan)
    there = ranking.top != NO_PRODUCT
    ends = np.r_[0, np.cumsum(there.sum(axis=1))]
    columns = {name: metrics.get(name, nothing) for name in PER_CUSTOMER} | {
        name: np.full(len(people), value) for name, value in constant.items()
    }
    columns[c.CUSTOMER] = window.customers[people].astype(str)
    columns[SEGMENT] = window.group[people]
    arrays = {
        name: pa.array(found, SCHEMA.field(name).type, from_pandas=True) for name, found in columns.items()
    }
    arrays[TOP] = pa.ListArray.from_arrays(ends.astype(np.int32), ranking.top[there])
    return pa.table(arrays).select(SCHEMA.names)
