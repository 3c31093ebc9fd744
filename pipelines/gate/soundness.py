"""Conditions on the bundle itself: answers are quick, personal, and as they were evaluated."""

import time
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipelines.evaluate import evaluate
from pipelines.evaluate.differences import difference
from pipelines.gate.conditions import MAIN, Condition
from pipelines.gate.settings import GateSettings, Thresholds
from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import locate
from serving.bundle.format import Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import recommend, scores

DRAWN = 50  # customers whose answers are checked
COMPARED = 500  # customers whose answers are compared with the champion's
N = 10  # products of an answer
SEED = 5
TRIES = 2  # of each answer; the quicker one counts
MORE_TRIES = 5  # of an answer that was too slow: what else runs on the machine costs processor time, too
PERCENTILE = 95
REMEMBERING = ("repurchase", "als")  # components that rank first what was just bought
PERSONAL = (*REMEMBERING, "ranker")  # components whose answer depends on the customer
FITTED = "fitted"


@dataclass(frozen=True)
class Answers:
    """The answers to an anonymous visitor and to a seeded draw of customers, in every lane."""

    count: int
    seconds: Array  # (count,) float64, processor time of each answer
    empty: int  # answers of the lane for-you without a product
    different: int  # answers that score less than the best by the evaluation's scores

    @property
    def slowest(self) -> float:
        """The processor time of the slowest answer, in seconds."""
        return float(self.seconds.max(initial=0.0))

    @property
    def p95(self) -> float:
        """The processor time that 95 % of the answers stay within, in seconds."""
        return float(np.percentile(self.seconds, PERCENTILE)) if self.count else 0.0


def check(bundle: Bundle, thresholds: Thresholds) -> tuple[Answers, list[Condition]]:
    """Returns a bundle's answers to a draw of customers, and the conditions on them.

    Speed is measured in processor time, since time by the clock also depends on what else the machine does.
    """
    answers = sample_answers(bundle, thresholds.answer_seconds)
    limit, count = thresholds.answer_seconds * 1000, answers.count
    quick = (
        f"{PERCENTILE} % of {count} answers take up to {answers.p95 * 1000:.0f} ms of processor time,"
        f" the slowest {answers.slowest * 1000:.0f} ms; allowed are {limit:.0f} ms for {PERCENTILE} %"
    )
    return answers, [
        Condition(
            "answers hold products", not answers.empty, f"{answers.empty} of {answers.count} are empty"
        ),
        Condition(
            "answers match the evaluation",
            not answers.different,
            f"{answers.different} of {answers.count} differ",
        ),
        Condition("answers are quick", answers.p95 <= thresholds.answer_seconds, quick),
        *_personal(bundle),
    ]


def sample_answers(bundle: Bundle, enough: float) -> Answers:
    """Returns the answers of the code that serves, compared with the scores of the code that evaluates.

    enough: processor seconds; an answer that takes longer is tried again.
    """
    drawn = _draw(bundle)
    seconds, empty, different = [], 0, 0
    for lane in LANES:
        evaluated = scores(bundle, drawn, lane)
        for customer, values in zip((None, *drawn.tolist()), (None, *evaluated), strict=True):
            answer, spent = _timed(bundle, customer, lane, enough)
            seconds.append(spent)
            empty += lane == MAIN and not answer
            different += values is not None and not _same(values, answer)
    return Answers(len(seconds), np.array(seconds), empty, different)


def kept(bundle: Bundle, champion: Bundle, thresholds: Thresholds) -> Condition:
    """Returns whether a bundle contains the champion's purchases, with last days that are no earlier."""
    (own, own_last), (before, last_before) = (_purchases(each, champion) for each in (bundle, champion))
    index, is_own = locate(own, before)
    count = np.count_nonzero(own_last[index[is_own]] >= last_before[is_own])
    share = count / len(before) if len(before) else 1.0
    detail = (
        f"{share:.1%} of the purchases in the champion's bundle are in this one, not older;"
        f" at least {thresholds.kept:.0%} must be"
    )
    return Condition("purchases are kept", bool(share >= thresholds.kept), detail)


def remembers(
    bundle: Bundle, earlier: Bundle, truth: Interactions, measures: pa.Table, settings: GateSettings
) -> list[Condition]:
    """Returns whether a bundle predicts a window that it was fitted on no worse than a bundle without it.

    earlier: the ranker's inputs as they were before the window, since a ranker predicts what comes next, and
    that is seldom what was just bought. measures: of each component without the window, on the same truth.
    Only the lane for-you is compared, since what was bought can't be discovered, and only the personal
    components, since popularity is the same for every customer.
    """
    serving = {*bundle.manifest["lanes"].values()}
    components = {*PERSONAL} if "ranker" in serving else serving & {*REMEMBERING}
    checks = []
    for component in sorted(components):
        fitted = replace(earlier, ranker=bundle.ranker) if component == "ranker" else bundle
        both = pa.concat_tables([measures, evaluate(fitted, truth, FITTED, component)])
        gain = difference(both, FITTED, component, MAIN, settings.evaluation)
        if gain is not None:
            met = not gain.is_worse(settings.thresholds.tolerance)
            detail = f"NDCG@10 on days it was fitted on is {gain} measured without them"
            checks.append(Condition(f"{component}: fitted as measured", met, detail))
    return checks


def steady(bundle: Bundle, champion: Bundle, thresholds: Thresholds) -> list[Condition]:
    """Returns, by lane, whether customers get mostly the recommendations that the champion gives them."""
    names, rows, before = np.intersect1d(bundle.customers, champion.customers, return_indices=True)
    drawn = np.random.default_rng(SEED).permutation(len(names))[:COMPARED]
    checks = []
    for lane in LANES:
        now, then = (
            [_products(each, values) for values in scores(each, own_rows[drawn], lane)]
            for each, own_rows in ((bundle, rows), (champion, before))
        )
        shares = [len(new & old) / len(old) for new, old in zip(now, then, strict=True) if old]
        share = float(np.mean(shares)) if shares else 1.0
        detail = f"{share:.0%} of the champion's recommendations stay, at least {thresholds.steady:.0%} must"
        checks.append(Condition(f"{lane}: steady", share >= thresholds.steady, detail))
    return checks


def _products(bundle: Bundle, values: Array) -> set[bytes]:
    """Returns the ids of the N products with the highest scores, (P,)."""
    return set(bundle.products[top_n(values, N)].tolist())


def _personal(bundle: Bundle) -> list[Condition]:
    """Returns whether customers get different lists, for each lane with a personal component."""
    if np.count_nonzero(bundle.popularity) <= 2 * N:
        return []  # with so few products all customers may well get the same list
    drawn, checks = _draw(bundle), []
    for lane in (lane for lane in LANES if bundle.manifest["lanes"][lane] in PERSONAL):
        lists = [answer for values in scores(bundle, drawn, lane) if (answer := tuple(top_n(values, N)))]
        detail = f"{len(lists)} customers get {len(set(lists))} different lists"
        met = len(set(lists)) > 1 or len(lists) < 2
        checks.append(Condition(f"{lane}: answers are personal", met, detail))
    return checks


def _timed(bundle: Bundle, customer: int | None, lane: Lane, enough: float) -> tuple[list[int], float]:
    """Returns an answer's products, and the processor seconds of its quickest try."""
    quickest = float("inf")
    for tried in range(MORE_TRIES):
        started = time.process_time()
        answer = [item.product for item in recommend(bundle, customer, lane, N)]
        quickest = min(quickest, time.process_time() - started)
        if tried + 1 >= TRIES and quickest <= enough:
            break
    return answer, quickest


def _purchases(bundle: Bundle, ids: Bundle) -> tuple[Array, Array]:
    """Returns a bundle's purchases, numbered by another bundle's ids, and their last days, (h,) each."""
    customer = np.repeat(np.arange(len(bundle.customers)), np.diff(bundle.history_start))
    rows, customer_known = locate(ids.customers, bundle.customers)
    columns, product_known = locate(ids.products, bundle.products)
    product = bundle.history_product
    both = customer_known[customer] & product_known[product]
    return rows[customer[both]] * len(ids.products) + columns[product[both]], bundle.history_last[both]


def _same(values: Array, answer: list[int]) -> bool:
    """Returns whether an answer has the scores of the best products; equal scores may be in any order."""
    best = top_n(values, N)
    return len(answer) == len(best) and np.allclose(values[answer], values[best], rtol=1e-4)


def _draw(bundle: Bundle) -> Array:
    """Returns the rows of at most DRAWN random customers, always the same."""
    rng = np.random.default_rng(SEED)
    return rng.choice(len(bundle.customers), min(DRAWN, len(bundle.customers)), replace=False)
