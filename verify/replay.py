"""Sending notices again that a receiver lost. They lie with their cases: no earlier delivery is needed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from re import fullmatch

from verify.deliveries import Deliveries
from verify.errors import NotFound
from verify.notices import Notice
from verify.store import Store, case_of_entry
from verify.webhooks import Endpoint, Webhooks

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Replays:
    """Enqueues notices again, under the ids that they had."""

    store: Store
    webhooks: Webhooks

    async def since(self, endpoint_id: str, since: float) -> int:
        """All notices that an endpoint wants, from a time on (Unix seconds), also from before it was registered.

        Returns:
            How many there are.

        Raises:
            NotFound: `webhook_unknown`.
        """
        endpoint, count = await self._endpoint(endpoint_id), 0
        async for case_id in self._cases(endpoint):
            for notice in await self.store.notices(case_id):
                if notice.at >= since and (not endpoint.types or notice.type in endpoint.types):
                    await self._again(endpoint, notice)
                    count += 1
        return count

    async def of(self, endpoint_id: str, notice_ids: tuple[str, ...]) -> int:
        """Notices by id, of whatever type; all or none.

        Raises:
            NotFound: `webhook_unknown`, `notice_unknown`.
        """
        endpoint = await self._endpoint(endpoint_id)
        notices = [await self._notice(endpoint, notice_id) for notice_id in notice_ids]
        for notice in notices:
            await self._again(endpoint, notice)
        return len(notices)

    async def _again(self, endpoint: Endpoint, notice: Notice) -> None:
        await Deliveries(self.store).add(endpoint, notice, now=await self.store.now(), again=True)

    async def _endpoint(self, endpoint_id: str) -> Endpoint:
        found = await self.webhooks.find(endpoint_id)
        if found is None:
            message = f"no webhook has the id {endpoint_id!r}; `heyan webhooks list` shows them"
            raise NotFound("webhook_unknown", message)
        return found

    async def _notice(self, endpoint: Endpoint, notice_id: str) -> Notice:
        match = fullmatch(r"evt_([a-z2-7]{16})_\d+_\d+", notice_id)
        notices = await self.store.notices(f"case_{match.group(1)}") if match else ()
        for notice in notices:
            if (notice.id, notice.client, notice.mode) == (notice_id, endpoint.client, endpoint.mode):
                return notice
        raise NotFound("notice_unknown", f"the client of this webhook has no notice {notice_id!r}")

    async def _cases(self, endpoint: Endpoint) -> AsyncIterator[str]:
        """All cases of the endpoint's client in its mode, newest first."""
        below: str | None = None
        while entries := await self.store.listed(endpoint.client, endpoint.mode, below=below, limit=_PAGE):
            for entry in entries:
                yield case_of_entry(entry)
            below = entries[-1]
