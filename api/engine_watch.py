"""Whether the networks can run now, asked before anything is burnt for a session that needs them."""

import asyncio
from time import monotonic

from models.engine import Engine
from models.errors import ModelError

AGAIN_SECONDS = 1.0
"""How long an answer counts."""


class EngineWatch:
    """Asks the engine off the event loop, one question at a time however many want to know. For one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asking = asyncio.Lock()
        self._asked_at: float | None = None
        self._fault: ModelError | None = None

    async def fault(self) -> ModelError | None:
        """Why the networks cannot run; None if they can."""
        async with self._asking:
            if self._asked_at is None or monotonic() - self._asked_at > AGAIN_SECONDS:
                self._fault = await asyncio.to_thread(self._ask)
                self._asked_at = monotonic()
            return self._fault

    async def require(self) -> None:
        """Raises ModelError: as `Engine.check`."""
        fault = await self.fault()
        if fault is not None:
            raise fault

    def _ask(self) -> ModelError | None:
        try:
            self._engine.check()
        except ModelError as error:
            return error
        return None
