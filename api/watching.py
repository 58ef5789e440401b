"""Streams of a case's notices (server-sent events), as many at once as the process allows."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from api.errors import OverloadedError
from api.live_sessions import LiveSessions
from verify.casefile import CaseState
from verify.cases import Cases, known_case
from verify.clients import Client, Clients
from verify.errors import Invalid, Refused
from verify.notices import Notice
from verify.store import Store

LOOK_SECONDS = 0.5
"""How often the store is asked for news of a case that is watched."""


@dataclass(slots=True)
class Places:
    """Counts the streams of this process. No client gets more than half of what the others leave, rounded up."""

    limit: int
    _of_client: Counter[str] = field(default_factory=Counter)

    @property
    def taken(self) -> int:
        """By all clients."""
        return self._of_client.total()

    @contextmanager
    def one(self, client_id: str) -> Iterator[None]:
        """Take a place for a while. Raises OverloadedError if there is none for this client."""
        own = self._of_client[client_id]
        if 2 * own >= self.limit - (self.taken - own):
            raise OverloadedError
        self._of_client[client_id] += 1
        try:
            yield
        finally:
            self._of_client -= Counter((client_id,))  # forgets clients that have none


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Follows cases."""

    store: Store
    cases: Cases
    clients: Clients
    live: LiveSessions
    places: Places

    async def start(self, client: Client, case_id: str, last_event_id: str | None) -> int:
        """The number of the first notice to tell: the one after the last that was seen, or 0.

        Raises:
            NotFound: `case_unknown`. Invalid: `event_unknown`.
        """
        case = (await self.cases.get(client, case_id)).file.case
        if not last_event_id:
            return 0
        seen = [notice.id for notice in await self.store.notices(case.id)]
        if last_event_id not in seen:
            raise Invalid("event_unknown", "the case has no event with this Last-Event-ID: leave it out to get all")
        return seen.index(last_event_id) + 1

    async def follow(self, case_id: str, *, api_key: str, start: int) -> AsyncIterator[Notice]:
        """The notices of a case from number `start` on, as they come.

        Until it has ended, the API key that asked for them is revoked, or this replica stops.
        """
        number = start
        while not self.live.admission.draining and await self._is_good(api_key):
            state = await self.cases.expire(case_id)
            for notice in await self.store.notices(known_case(case_id), after=number):
                number += 1
                yield notice
            if state is not CaseState.OPEN:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_good(self, api_key: str) -> bool:
        try:
            await self.clients.authenticate(api_key)
        except Refused:
            return False
        return True
