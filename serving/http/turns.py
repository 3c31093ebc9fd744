"""Long requests take turns, so that they delay short ones little.

A worker answers on one thread. Long requests compute one at a time, in small parts, and while others ask
for short answers they leave them at least half of the worker's time.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TypeVar

from starlette.requests import ClientDisconnect

from serving.errors import Problem
from serving.http.responses import Json, to_json

T = TypeVar("T")

LONGEST_SECONDS = 10.0  # of a long request, with the time that it waits for others
QUIET_SECONDS = 1.0  # without a short request, after which long ones compute larger parts without pauses
PART_SIZE, PART_SIZE_WHEN_QUIET = 1, 8  # customers
YIELDS = 3  # until a request that arrived meanwhile is read, started and answered


@dataclass(frozen=True)
class LongAnswer:
    """A response body whose last field is a list that takes long to compute."""

    fields: Json
    name: str  # of the list
    size: int
    part: Callable[[slice], list[Json]]  # returns some elements of the list

    def whole(self) -> Json:
        """Returns the body, computed at once."""
        return self.fields | {self.name: self.part(slice(0, self.size))}


class Turns:
    """The long requests of one worker."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._short_request_at = -math.inf

    def note_short_request(self) -> None:
        """Notes that others are asking for short answers."""
        self._short_request_at = monotonic()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Returns the result of work that can't be divided; the worker's thread and it get time by turns."""
        async with self._turn:
            return await asyncio.to_thread(work)

    async def render(
        self, answer: LongAnswer, count: Callable[[Json], None], is_gone: Callable[[], Awaitable[bool]]
    ) -> bytes:
        """Returns a long answer as JSON.

        count: is called with each part, as a body of its own. is_gone: whether the client has disconnected.
        Raises Problem 503 after LONGEST_SECONDS, and ClientDisconnect.
        """
        texts: list[bytes] = []
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                for part in self._parts(answer.size):
                    async with self._turn:
                        started = perf_counter()
                        body = answer.fields | {answer.name: answer.part(part)}
                        count(body)
                        texts += [to_json(element) for element in body[answer.name]]
                        await self._let_others(perf_counter() - started)
                    if await is_gone():
                        raise ClientDisconnect
        except TimeoutError:
            raise _busy() from None
        return b"%s,%s:[%s]}" % (to_json(answer.fields)[:-1], to_json(answer.name), b",".join(texts))

    def _parts(self, size: int) -> Iterator[slice]:
        start = 0
        while start < size:
            end = start + (PART_SIZE_WHEN_QUIET if self._is_quiet() else PART_SIZE)
            yield slice(start, end)
            start = end

    async def _let_others(self, seconds: float) -> None:
        """Lets other requests be answered, for as long as the last part took if there are any."""
        for _ in range(YIELDS):
            await asyncio.sleep(0)
        if not self._is_quiet():
            await asyncio.sleep(seconds)

    def _is_quiet(self) -> bool:
        return monotonic() - self._short_request_at > QUIET_SECONDS


def _busy() -> Problem:
    message = (
        f"the answer took more than {LONGEST_SECONDS:.0f} s beside other long requests: ask for fewer"
        " customers at once, or try again later"
    )
    return Problem(503, "busy", message, headers={"Retry-After": "10"})
