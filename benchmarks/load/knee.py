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
    """Step up to `most` phones or to the first number that is not carried; then try twice the last that was."""
    steps: list[Figures] = []
    for phones in numbers_of_phones(most):
        steps.append(await attempt(phones))
        if not carried(steps[-1]):
            break
    knee = next((each for each in reversed(steps) if carried(each)), None)
    beyond = await attempt(2 * (knee or steps[0]).phones)
    return Carried(steps=tuple(steps), knee=knee, beyond=beyond)
