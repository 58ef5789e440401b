"""Where the photos of cases are looked at before anybody consents: on threads of its own, so that a large picture holds
up no frame of a live session, one photo of a request at a time, in turns by client.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from api.errors import OverloadedError
from api.fair_threads import FairThreads
from api.metrics import Metrics

SHARE = 4
"""One thread for so many inference threads: live sessions may need up to `HEYAN_LIVE_LOAD` (0.7) of the cores."""


def photo_threads(*, workers: int) -> FairThreads:
    """Threads beside so many inference threads; whoever opens them closes them."""
    return FairThreads(max(1, workers // SHARE), name="photos")


class PhotoChecks:
    """Runs the checks of clients' requests. For one event loop.

    A request holds a place until its last photo was looked at. A client may hold as many as are free: alone half of
    them, never all, so that there is room for whoever has none.
    """

    def __init__(self, *, threads: FairThreads, places: int, metrics: Metrics) -> None:
        self._threads = threads
        self._metrics = metrics
        self._free = places
        self._held = Counter[str]()

    async def run(self, client_id: str, works: Sequence[Callable[[], None]]) -> None:
        """See `verify.photos.Runner`. Without work no place is needed.

        Raises:
            OverloadedError: no place is free, or this client holds its share; nothing was run.
        """
        if not works:
            return
        with self._place(client_id), self._metrics.stage("photos"):
            for work in works:
                await self._threads.run_in_turn(client_id, lambda work=work: work)  # type: ignore[misc]

    @contextmanager
    def _place(self, client_id: str) -> Iterator[None]:
        if self._held[client_id] >= self._free:
            raise OverloadedError
        self._free -= 1
        self._held[client_id] += 1
        try:
            yield
        finally:
            self._free += 1
            self._held[client_id] -= 1
            self._held += Counter()  # forget who holds none
