"""Streams of a case's notices (server-sent events), as many at once as the process allows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api.errors import OverloadedError
from api.live_sessions import LiveSessions
from verify.casefile import CaseState
from verify.cases import Cases, known_case
from verify.clients import Client
from verify.errors import Invalid
from verify.notices import Notice
from verify.store import Store

LOOK_SECONDS = 0.5
"""How often the store is asked for news of a case that is watched."""


@dataclass(slots=True)
class Places:
    """Counts the streams of this process."""

    limit: int
    taken: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place for a while. Raises OverloadedError if there is none."""
        if self.taken >= self.limit:
            raise OverloadedError
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Follows cases."""

    store: Store
    cases: Cases
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

    async def follow(self, case_id: str, *, start: int) -> AsyncIterator[Notice]:
        """The notices of a case from number `start` on, as they come, until it has ended or this replica stops."""
        number = start
        while not self.live.admission.draining:
            state = await self.cases.expire(case_id)
            for notice in await self.store.notices(known_case(case_id), after=number):
                number += 1
                yield notice
            if state is not CaseState.OPEN:
                return
            await asyncio.sleep(LOOK_SECONDS)
