"""What a bundle must be to serve, whatever its measures say: quick, personal, as measured."""

import time
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipelines.evaluate import evaluate
from pipelines.evaluate.differences import difference
from pipelines.gate.conditions import MAIN, Condition
from pipelines.gate.settings import GateSettings, Thresholds
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import placed
from serving.bundle.format import Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend.recommender import LANES, Lane, recommend, scores

ASKED = 50
COMPARED = 500  # customers whose answers are held against the champion's
ANSWERS = 10
SEED = 5
REMEMBERING = ("repurchase", "als")  # components that put first what was just bought
PERSONAL = (*REMEMBERING, "ranker")  # components that know who asks
FITTED = "fitted"


@dataclass(frozen=True)
class Answers:
    """What a stranger and a seeded draw of customers were answered, in every lane."""

    count: int
    slowest: float  # seconds
    empty: int  # answers of the lane for-you without a product
    apart: int  # answers that score less than what is measured as the best


def soundness(bundle: Bundle, bounds: Thresholds) -> list[Condition]:
    """Whether a bundle answers as it should."""
    found, budget = ask(bundle), bounds.answer_seconds * 1000
    return [
        Condition("answers hold products", not found.empty, f"{found.empty} of {found.count} are empty"),
        Condition("answers are what was measured", not found.apart, f"{found.apart} of {found.count} differ"),
        Condition(
            "answers are quick",
            found.slowest <= bounds.answer_seconds,
            f"the slowest takes {found.slowest * 1000:.0f} ms, allowed are {budget:.0f}",
        ),
        *_personal(bundle),
    ]


def ask(bundle: Bundle) -> Answers:
    """The answers of the code that serves, beside those of the code that measures."""
    asked = _asked(bundle)
    count, slowest, empty, apart = 0, 0.0, 0, 0
    for lane in LANES:
        judged = scores(bundle, asked, lane)
        for customer, values in zip((None, *asked.tolist()), (None, *judged), strict=True):
            answer, seconds = _timed(bundle, customer, lane)
            slowest, count = max(slowest, seconds), count + 1
            empty += lane == MAIN and not answer
            apart += values is not None and not _same(values, answer)
    return Answers(count, slowest, empty, apart)


def kept(bundle: Bundle, champion: Bundle, bounds: Thresholds) -> Condition:
    """Whether a bundle still knows what the champion knew customers had bought, and as lately."""
    (known, last), (before, then) = (_purchases(one, champion) for one in (bundle, champion))
    at, is_known = placed(known, before)
    lately = np.count_nonzero(last[at[is_known]] >= then[is_known])
    share = lately / len(before) if len(before) else 1.0
    told = (
        f"{share:.1%} of the purchases that the champion knows are known, and as lately,"
        f" at least {bounds.kept:.0%} must be"
    )
    return Condition("purchases are kept", bool(share >= bounds.kept), told)


def remembers(
    bundle: Bundle, earlier: Bundle, truth: Interactions, judged: pa.Table, settings: GateSettings
) -> list[Condition]:
    """Whether a bundle fitted on a window answers it as well as what was measured without having seen it.

    earlier: what the ranker of the bundle looks at, as it was before the window: it foretells what comes
    next, which is seldom what was just bought. judged: what was measured of each component on the same truth.
    Compared is the lane for-you, since what was bought can't be discovered, and what knows customers: what is
    popular remembers nobody.
    """
    answering = {*bundle.manifest["lanes"].values()}
    asked = {*PERSONAL} if "ranker" in answering else answering & {*REMEMBERING}
    found = []
    for component in sorted(asked):
        fitted = replace(earlier, ranker=bundle.ranker) if component == "ranker" else bundle
        both = pa.concat_tables([judged, evaluate(fitted, truth, FITTED, component)])
        gain = difference(both, FITTED, component, MAIN, settings.evaluation)
        if gain is not None:
            met = not gain.is_worse(settings.thresholds.tolerance)
            told = f"NDCG@10 on days it was fitted on is {gain} measured without them"
            found.append(Condition(f"{component}: fitted as measured", met, told))
    return found


def steady(bundle: Bundle, champion: Bundle, bounds: Thresholds) -> list[Condition]:
    """Whether customers are answered much as the champion answers them, in each lane."""
    names, rows, before = np.intersect1d(bundle.customers, champion.customers, return_indices=True)
    drawn = np.random.default_rng(SEED).permutation(len(names))[:COMPARED]
    found = []
    for lane in LANES:
        now, then = (
            [_answered(one, values) for values in scores(one, places[drawn], lane)]
            for one, places in ((bundle, rows), (champion, before))
        )
        shares = [len(own & other) / len(other) for own, other in zip(now, then, strict=True) if other]
        share = float(np.mean(shares)) if shares else 1.0
        told = f"{share:.0%} of the champion's answers stay, at least {bounds.steady:.0%} must"
        found.append(Condition(f"{lane}: steady", share >= bounds.steady, told))
    return found


def _answered(bundle: Bundle, values: Array) -> set[bytes]:
    return set(bundle.products[top_n(values, ANSWERS)].tolist())


def _personal(bundle: Bundle) -> list[Condition]:
    """That customers get lists of their own, in each lane answered by what knows them."""
    if np.count_nonzero(bundle.popularity) <= 2 * ANSWERS:
        return []  # of so few products everyone may well get the same
    asked, found = _asked(bundle), []
    for lane in (lane for lane in LANES if bundle.manifest["lanes"][lane] in PERSONAL):
        lists = [
            answer for values in scores(bundle, asked, lane) if (answer := tuple(top_n(values, ANSWERS)))
        ]
        told = f"{len(lists)} customers get {len(set(lists))} different lists"
        found.append(Condition(f"{lane}: answers are personal", len(set(lists)) > 1 or len(lists) < 2, told))
    return found


def _timed(bundle: Bundle, customer: int | None, lane: Lane) -> tuple[list[int], float]:
    """An answer, and the seconds that it takes when nothing else is in its way: the shorter of two times."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        answer = [item.product for item in recommend(bundle, customer, lane, ANSWERS)]
        seconds.append(time.perf_counter() - started)
    return answer, min(seconds)


def _purchases(bundle: Bundle, ids: Bundle) -> tuple[Array, Array]:
    """A bundle's pairs of customer and product as numbers by another's ids, and their last days, (h,)."""
    customer = np.repeat(np.arange(len(bundle.customers)), np.diff(bundle.history_start))
    rows, row_known = placed(ids.customers, bundle.customers)
    places, place_known = placed(ids.products, bundle.products)
    product = bundle.history_product
    both = row_known[customer] & place_known[product]
    return rows[customer[both]] * len(ids.products) + places[product[both]], bundle.history_last[both]


def _same(values: Array, answer: list[int]) -> bool:
    """Whether an answer scores what the best of all do; equals may stand in another order."""
    top = top_n(values, ANSWERS)
    return len(answer) == len(top) and np.allclose(values[answer], values[top], rtol=1e-4)


def _asked(bundle: Bundle) -> Array:
    rng = np.random.default_rng(SEED)
    return rng.choice(len(bundle.customers), min(ASKED, len(bundle.customers)), replace=False)
