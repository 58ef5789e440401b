"""What a person shows from one frame to the next, by what the phone was told: pictures of a reel, in an order of the
moment."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, cycle
from random import Random

from benchmarks.load.reels import TIMES, Clip, Reel, Take
from benchmarks.load.strips import Strips

CUTS = 8
"""Ways to cut a picture at its top, and as many at its bottom."""
SESSIONS = CUTS**2
"""Of one person; one more would show what was shown before, and be refused as a replay."""


class Player:
    """One session of one person. `number` tells it from the person's other sessions: of `SESSIONS` in a row no two show
    the same pictures."""

    def __init__(self, reel: Reel, *, number: int, rng: Random) -> None:
        self._reel = reel
        self._top, self._bottom = divmod(number % SESSIONS, CUTS)
        self._left = {cue: rng.sample(takes, len(takes)) for cue, takes in reel.takes.items()}
        self._cue = rng.choice(list(reel.takes))
        self._take = self._left[self._cue][-1]
        self._on: Iterator[Strips] = _to_and_fro(self._take.resting)
        self._arrives = 0
        """Frames until the head has gone where the cue asked."""
        self._away = False
        self._colours = Counter[str]()

    def told(self, message: dict[str, str]) -> None:
        """A prompt appeared on the phone."""
        match message["type"]:
            case "ask":
                self._ask(message["cue"])
            case "rest" if self._away:
                self._go_back()
            case "light":
                self._light(message["colour"])

    def frame(self) -> bytes:
        """The next JPEG."""
        self._arrives = max(0, self._arrives - 1)
        return next(self._on).cut(top=self._top, bottom=self._bottom)

    def _ask(self, cue: str) -> None:
        self._cue, takes = cue, self._left[cue]
        self._take = takes[0]
        takes.append(takes.pop(0))
        self._arrives, self._away = len(self._take.going), True
        self._on = chain(self._take.going, _to_and_fro(self._take.holding))

    def _light(self, colour: str) -> None:
        """Two frames in turn; other ones when the colour comes again."""
        clip, place = self._reel.lit[self._cue][colour], 2 * (self._colours[colour] % TIMES)
        self._colours[colour] += 1
        self._on = cycle(clip[place : place + 2])

    def _go_back(self) -> None:
        """Whoever has begun to move arrives first."""
        take: Take = self._take
        rest = chain(take.returning, _to_and_fro(take.resting))
        going = take.going[len(take.going) - self._arrives :]
        self._arrives, self._away = 0, False
        self._on = chain(going, take.holding if going else (), rest)


def _to_and_fro(clip: Clip) -> Iterator[Strips]:
    """Forward and backward without end: no frame follows itself."""
    return cycle((*clip, *clip[-2:0:-1]))
