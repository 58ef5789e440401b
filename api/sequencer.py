"""The task behind the requests: retention, the count of stored faces, and checkpoints.

It runs in every replica, but only one has the turn at a time.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from structlog.stdlib import BoundLogger

from api.metrics import Metrics, Work
from verify.checkpoints import MARKS, Checkpoints
from verify.erasure import Erasures
from verify.errors import Unavailable

TURN = 3.0
"""A replica keeps the turn for so many intervals after its last round; if it dies another takes over then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequencer:
    """Round after round, every so many seconds."""

    checkpoints: Checkpoints
    erasures: Erasures
    metrics: Metrics
    log: BoundLogger
    every: float

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """In the background while this context is open."""
        stopped = asyncio.Event()
        task = asyncio.create_task(self._run(stopped), name="sequencer")
        try:
            yield
        finally:
            stopped.set()
            await task

    async def round(self) -> None:
        """What is to be done now. Whatever fails keeps nothing else waiting, and is done in the next round."""
        with self._counted("retention"):
            await self.erasures.keep_clock(await self.checkpoints.store.ledger.marked(limit=MARKS))
            while await self.erasures.erase_due():
                pass
        with self._counted("checkpoints"):
            while await self.checkpoints.advance() is not None:
                pass

    async def _run(self, stopped: asyncio.Event) -> None:
        """A round that has begun is finished, however it is stopped; whoever stops lets another have the turn."""
        owner, ledger = secrets.token_hex(8), self.checkpoints.store.ledger
        while not stopped.is_set():
            with self._logged("turn"):
                if await ledger.take_turn(owner, seconds=self.every * TURN):
                    await self.round()
                self.metrics.stored_faces.set(await ledger.stored_faces())
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), self.every)
        with suppress(Unavailable):
            await ledger.leave_turn(owner)

    @contextmanager
    def _counted(self, work: Work) -> Iterator[None]:
        """Note when this work was last done without a fault."""
        with self._logged(work):
            yield
            self.metrics.rounds.labels(work=work).set_to_current_time()

    @contextmanager
    def _logged(self, work: Work | Literal["turn"]) -> Iterator[None]:
        """Tell the log of what fails here, and go on behind it."""
        try:
            yield
        except Unavailable as error:
            self.log.warning("round_failed", work=work, code=error.code)
        except Exception:
            self.log.exception("round_failed", work=work)
