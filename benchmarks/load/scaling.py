"""One process of the service, two, and so on up to as many as are asked for, on one store: what each adds."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load.reels import Reel
from benchmarks.load.room import Figures, Room
from benchmarks.replicas import replica, store_in
from verify.clients import Clients
from verify.connection import connect
from verify.store import Store


@dataclass(frozen=True, slots=True)
class Step:
    """So many processes, each with as many phones."""

    processes: int
    figures: tuple[Figures, ...]
    """Of each process."""

    @property
    def frames_per_s(self) -> float:
        """Of all together."""
        return round(sum(each.frames_per_s for each in self.figures), 1)

    @property
    def verifications_per_hour(self) -> int:
        """Of all together."""
        return sum(each.verifications_per_hour for each in self.figures)

    @property
    def worst_frame_p95_ms(self) -> float | None:
        """Of the process where frames waited longest; None if one measured none."""
        found = [each.frame_ms["p95"] for each in self.figures]
        return None if None in found else max(each for each in found if each is not None)

    @property
    def refused_503(self) -> int:
        """Of all together."""
        return sum(each.refused_503 for each in self.figures)

    @property
    def accepted_lost(self) -> int:
        """Of all together; must be 0."""
        return sum(each.accepted_lost for each in self.figures)


async def scale(
    reels: Sequence[Reel], *, most: int, phones: int, seconds: float, advance: Callable[[], object]
) -> tuple[Step, ...]:
    """1 to `most` processes, each step on a store of its own; `phones` each, for `seconds`; `advance` a visit.

    Raises:
        ServiceError: a process did not start.
        httpx.HTTPError: the service refused something else than a session.
    """
    return tuple([await _step(reels, number, phones, seconds, advance) for number in range(1, most + 1)])


async def _step(
    reels: Sequence[Reel], processes: int, phones: int, seconds: float, advance: Callable[[], object]
) -> Step:
    with TemporaryDirectory(prefix="heyan-scale-") as name:
        folder = Path(name)
        async with store_in(folder) as embedded, AsyncExitStack() as stack:
            services = [replica(stack, folder, number, embedded.url) for number in range(processes)]
            async with Store(connect(embedded.url)) as store:
                _, key = await Clients(store, secrets.token_bytes).create("scale", mode="live")
            numbers = count()
            rooms = [Room(replace(each, api_key=key), reels, numbers) for each in services]
            running: list[Awaitable[Figures]] = [each.run(phones, seconds=seconds, advance=advance) for each in rooms]
            return Step(processes, tuple(await asyncio.gather(*running)))
