"""The task that signs checkpoints: in every replica, but only one has the turn at a time."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from structlog.stdlib import BoundLogger

from verify.checkpoints import Checkpoints
from verify.errors import Unavailable

TURN = 3.0
"""A replica keeps the turn for so many intervals after its last checkpoint; if it dies another takes over then."""


@asynccontextmanager
async def sequencing(checkpoints: Checkpoints, *, every: float, log: BoundLogger) -> AsyncIterator[None]:
    """Sign checkpoints in the background while this context is open; `every`: seconds."""
    stopped = asyncio.Event()
    task = asyncio.create_task(_sequence(checkpoints, every=every, stopped=stopped, log=log), name="sequencer")
    try:
        yield
    finally:
        stopped.set()
        await task


async def _sequence(checkpoints: Checkpoints, *, every: float, stopped: asyncio.Event, log: BoundLogger) -> None:
    """Round after round; a round that has begun is finished, however it is stopped."""
    owner = secrets.token_hex(8)
    while not stopped.is_set():
        try:
            if await checkpoints.store.ledger.take_turn(owner, seconds=every * TURN):
                await advance_fully(checkpoints)
        except Unavailable as error:
            log.warning("checkpoint_failed", code=error.code)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), every)


async def advance_fully(checkpoints: Checkpoints) -> None:
    """Sign checkpoints until nothing is left that none covers."""
    while await checkpoints.advance() is not None:
        pass
