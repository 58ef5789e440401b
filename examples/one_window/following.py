"""What goes on beside the requests: a thread that follows filings, and pages that watch them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread

import httpx

from examples.client import HeyanError
from examples.one_window.archive import ReceiptError
from examples.one_window.desk import Desk
from examples.one_window.filings import Filing

LOG = logging.getLogger("one_window")
LOOK_SECONDS = 60.0
"""A notice that was lost is made up for after this time at the latest."""


class Watchers:
    """Pages that watch a filing. `changed` may be called from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Event, tuple[str, asyncio.AbstractEventLoop]] = {}
        self._closed = False

    def changed(self, filing: Filing) -> None:
        """Wake the pages that watch a filing."""
        for event, (watched, loop) in list(self._waiting.items()):
            if watched == filing.id:
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """End what watches, so that nobody waits for a page to go away."""
        self._closed = True
        for event, (_, loop) in list(self._waiting.items()):
            loop.call_soon_threadsafe(event.set)

    async def changes(self, filing_id: str) -> AsyncIterator[None]:
        """At once, then whenever the filing has changed; several changes may be one."""
        event = asyncio.Event()
        self._waiting[event] = (filing_id, asyncio.get_running_loop())
        try:
            while not self._closed:
                yield
                await event.wait()
                event.clear()
        finally:
            del self._waiting[event]


class Follower:
    """Follows filings one after the other: those that are named, and all that are unfinished now and then."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._named: Queue[str | None] = Queue()

    def name(self, filing_id: str) -> None:
        """Have a filing followed soon."""
        self._named.put(filing_id)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Follow in a thread of its own, until the block ends."""
        thread = Thread(target=self._run, name="follower")
        thread.start()
        try:
            yield
        finally:
            self._named.put(None)
            thread.join()

    def _run(self) -> None:
        self._follow_all()
        while True:
            try:
                named = self._named.get(timeout=LOOK_SECONDS)
            except Empty:
                self._follow_all()
                continue
            if named is None:
                return
            self._follow(named)

    def _follow_all(self) -> None:
        for filing in self._desk.ledger.unfinished():
            self._follow(filing.id)

    def _follow(self, filing_id: str) -> None:
        """Whatever is in the way is shown at the window, and tried again with the next notice or look."""
        try:
            self._desk.follow(filing_id)
        except LookupError as error:  # it was refused while it was being filed, and is kept no longer
            LOG.info("filing %s is not there: %s", filing_id, error)
        except HeyanError as refusal:
            self._trouble(filing_id, refusal.code, refusal)
        except httpx.TransportError as error:
            self._trouble(filing_id, "unreachable", error)
        except ReceiptError as error:
            self._trouble(filing_id, "receipt_invalid", error)
        except OSError as error:
            self._trouble(filing_id, "archive_unwritable", error)

    def _trouble(self, filing_id: str, code: str, error: Exception) -> None:
        LOG.warning("filing %s: %s", filing_id, error)
        self._desk.trouble(filing_id, code)
