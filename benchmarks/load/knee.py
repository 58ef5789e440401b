"""How many phones a machine carries: more and more of them, until one more lot is refused or has to wait."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from benchmarks.load.room import Figures

FRAME_P95_MS = 250.0
"""Two frames' time at 8 a second: beyond it most frames are superseded, and a prompt lags behind the person."""

Try = Callable[[int], Awaitable[Figures]]
"""So many phones, for a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What was found."""

    steps: tuple[Figures, ...]
    knee: Figures | None
    """The most phones that were carried; None if not even the fewest were."""
    beyond: Figures
    """Twice as many."""

    @property
    def accepted_lost(self) -> int:
        """In all steps."""
        return sum(each.accepted_lost for each in (*self.steps, self.beyond))


def carried(figures: Figures) -> bool:
    """Whether everybody got a place at once, nothing was lost and frames were answered in time."""
    late = figures.frame_ms["p95"]
    return not figures.refused_503 and not figures.accepted_lost and late is not None and late <= FRAME_P95_MS


def numbers_of_phones(most: int) -> Iterator[int]:
    """Each half as many again as the one before, up to `most`."""
    number = min(2, most)
    while number < most:
        yield number
        number = min(most, number + max(1, number // 2))
    yield most


async def find_knee(attempt: Try, *, most: int) -> Carried:
    """Step up to `most` phones or to the first number that is not carried, look between it and the last that was, then
    try twice as many."""
    steps: list[Figures] = []
    knee: Figures | None = None
    too_many: int | None = None
    for phones in numbers_of_phones(most):
        steps.append(await attempt(phones))
        if not carried(steps[-1]):
            too_many = phones
            break
        knee = steps[-1]
    while (middle := between(knee, too_many)) is not None:
        steps.append(await attempt(middle))
        knee, too_many = (steps[-1], too_many) if carried(steps[-1]) else (knee, middle)
    beyond = await attempt(2 * (knee or steps[0]).phones)
    return Carried(steps=tuple(sorted(steps, key=lambda each: each.phones)), knee=knee, beyond=beyond)


def between(knee: Figures | None, too_many: int | None) -> int | None:
    """A number of phones between the last that was carried and the first that was not; None if they are close enough:
    one apart, or an eighth."""
    if knee is None or too_many is None or too_many - knee.phones <= max(1, knee.phones // 8):
        return None
    return (knee.phones + too_many) // 2
