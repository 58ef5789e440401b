"""A whole run of the main job, from the case to the redeemed token and the webhook, and what of it nobody may read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import randbelow
from typing import Any

import httpx
from receiver import Receiver
from running_service import RunningApi, registrant

from api.settings import Settings
from benchmarks.phone.casting import living
from benchmarks.phone.online import Phone
from benchmarks.registration import Filing

PRIVATE = frozenset(
    {"name", "number", "code", "grant", "session_secret", "token", "secret", "photo", "receipt", "similarity", "url"}
)
"""Fields of bodies, whatever the endpoint, whose values belong to people or open something."""

SHORTEST = 3
"""Characters: a name in Chinese. Codes of errors are told everywhere and are no secrets."""


@dataclass
class Run:
    """What was sent and answered that is private, and the ids that may be told."""

    filing: Filing | None = None
    session_id: str = ""
    private: set[str] = field(default_factory=set)

    async def note_request(self, request: httpx.Request) -> None:
        self.private |= set(_private(request.content)) | {request.headers.get("authorization", "")[7:]}

    async def note_answer(self, answer: httpx.Response) -> None:
        if answer.is_success:
            self.private |= set(_private(await answer.aread()))

    def told_in(self, text: str) -> list[str]:
        """What of the private stands in a text."""
        return sorted(each[:40] for each in self.private if len(each) >= SHORTEST and each in text)


def settings_of_a_run(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, port=0, workers=2, webhook_private_addresses=True)


async def full_run(api: RunningApi, photo: bytes, receiver: Receiver, headers: dict[str, str]) -> Run:
    """One person, live; raises what the service refuses. `headers` come with every request."""
    run = Run()
    api.http.headers.update(headers)
    api.http.event_hooks = {"request": [run.note_request], "response": [run.note_answer]}
    (await api.http.post("/v1/webhooks", json={"url": f"{receiver.url}/{randbelow(10**12):012d}"})).raise_for_status()
    run.filing = await api.desk.open(registrant(photo, id_number=f"E{randbelow(10**8):08d}"))
    (subject,) = run.filing.subjects
    actor = living(photo, engine=api.services.engine, rng=Random(3))
    phone = Phone(http=api.http, actor=actor, rng=Random(3))
    attempt = await phone.open(await phone.agree(await api.desk.invite(run.filing, subject)))
    ended = await phone.attempt(attempt)
    assert ended.outcome == "accepted", ended
    run.session_id = attempt.session_id
    run.private |= {each.resume_secret for each in api.services.live._running.values()}
    token = await api.desk.mint(run.filing, subject)
    wrong = await api.desk.redeem(run.filing, subject, token, action="company.cancel")
    assert wrong.status_code == 403, wrong.text
    (await api.desk.redeem(run.filing, subject, token)).raise_for_status()
    while await api.services.delivery_worker.turn():
        pass
    assert receiver.received
    return run


def _private(content: bytes) -> Iterator[str]:
    try:
        yield from _of(json.loads(content)) if content else ()
    except ValueError:
        yield content.decode("utf-8", "replace")  # a receipt: a JWS


def _of(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _of(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in PRIVATE and isinstance(each, str | float):
                yield str(each)
            yield from _of(each)
