"""A mailbox for one value: the newest wins."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds the newest value that nobody has taken yet. For one event loop.

    A frame that waits is stale once a newer one is there: analysing both would only let a slow core fall behind. The
    newest frame always carries the newest nonce, so no change of nonce is lost.
    """

    def __init__(self) -> None:
        self._value: T | None = None
        self._filled = asyncio.Event()

    def put(self, value: T) -> bool:
        """Leave a value. Returns True if it took the place of one that was waiting."""
        superseded = self._value is not None
        self._value = value
        self._filled.set()
        return superseded

    async def take(self, *, timeout: float) -> T | None:  # noqa: ASYNC109 - None is the normal answer here, no error
        """The waiting value, or the next one within `timeout` seconds, or None."""
        try:
            async with asyncio.timeout(timeout):
                await self._filled.wait()
        except TimeoutError:
            return None
        value, self._value = self._value, None
        self._filled.clear()
        return value
