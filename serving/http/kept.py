"""Answers as they went out, kept until something changes that they depend on."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.bundle.format import Bundle
from serving.http.requests import RequestModel
from serving.http.responses import Json, to_json
from serving.live.merchandising import Placement
from serving.observe import metrics

MOST_BYTES = 2**26  # of all answers that a worker keeps


@dataclass(frozen=True)
class LastingAnswer:
    """An answer that is the same for as long as everything it depends on is the same."""

    query: RequestModel
    version: str
    bundle: Bundle  # with all changes so far: another one after a promotion, a change of stock, an erasure
    placement: Placement | None  # of the merchandising rules, None if they don't apply
    events: Sequence[Any]  # of the customer
    compute: Callable[[], Json]


@dataclass(frozen=True)
class Rendered:
    """An answer's JSON, and what it adds to the metrics."""

    body: bytes
    tally: metrics.Tally


@dataclass(frozen=True)
class _Kept:
    rendered: Rendered
    placement: weakref.ref[Placement] | None
    events: Sequence[Any]


class KeptAnswers:
    """The answers of one worker, those asked for last. Personal data: they are in memory alone."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._bundle: weakref.ref[Bundle] | None = None  # an old bundle must not stay in memory
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def render(self, answer: LastingAnswer) -> Rendered:
        """Returns an answer's JSON, computed only if it isn't kept or something has changed for it."""
        if self._bundle is None or self._bundle() is not answer.bundle:
            self._kept.clear()
            self._bundle, self._bytes = weakref.ref(answer.bundle), 0
        key = answer.version + answer.query.model_dump_json()
        kept = self._kept.get(key)
        if kept and _holds(kept, answer):
            self._kept.move_to_end(key)
            return kept.rendered
        return self._keep(key, answer)

    def _keep(self, key: str, answer: LastingAnswer) -> Rendered:
        computed = answer.compute()
        rendered = Rendered(to_json(computed), metrics.tally(computed))
        placement = None if answer.placement is None else weakref.ref(answer.placement)
        self._forget(key)
        self._kept[key] = _Kept(rendered, placement, answer.events)
        self._bytes += _size(key, rendered)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))
        return rendered

    def _forget(self, key: str) -> None:
        if kept := self._kept.pop(key, None):
            self._bytes -= _size(key, kept.rendered)


def _holds(kept: _Kept, answer: LastingAnswer) -> bool:
    placement = kept.placement and kept.placement()
    return placement is answer.placement and kept.events == answer.events


def _size(key: str, rendered: Rendered) -> int:
    return len(key) + len(rendered.body) + 1000  # for the objects around them
