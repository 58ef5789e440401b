"""A mailbox for values of which the newest counts, but for some that must not be lost."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds the newest value that nobody has taken yet, and before it those that are to be kept. For one event loop.

    A frame that waits is too late once a newer one is there: analysing both would only let a slow core fall behind.
    """

    def __init__(self) -> None:
        self._kept: deque[T] = deque()
        self._newest: T | None = None
        self._filled = asyncio.Event()

    def put(self, value: T, *, keep: bool = False) -> bool:
        """Leave a value; one that is kept is never superseded. Returns True if it took the place of one that waited."""
        superseded = self._newest is not None
        if keep:
            self._kept.append(value)
        self._newest = None if keep else value
        self._filled.set()
        return superseded

    async def filled(self, *, timeout: float) -> bool:  # noqa: ASYNC109 - False is a normal answer here, no error
        """Whether a value waits, or one comes within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> T:
        """The oldest value that waits. Raises LookupError if there is none."""
        if self._kept:
            value = self._kept.popleft()
        elif self._newest is not None:
            value, self._newest = self._newest, None
        else:
            raise LookupError("nothing waits here")
        if not self._kept and self._newest is None:
            self._filled.clear()
        return value
