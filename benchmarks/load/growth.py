"""Whether a service that runs for long grows: many short live sessions, one after the other on a few phones."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from random import Random
from time import monotonic

import httpx
from websockets.asyncio.client import connect

from benchmarks.load.gauges import rss_mb
from benchmarks.load.player import Player
from benchmarks.load.reels import FRAMES_PER_SECOND, Reel
from benchmarks.load.room import ANSWER_SECONDS
from benchmarks.load.visit import LONGEST_SECONDS, NOBODY, Visit, opened
from benchmarks.phone.online import HEADER, NO_NONCE, PROTOCOL, Grant, Message, Phone
from benchmarks.registration import Registrant, Registration
from benchmarks.service import Service

PHONES = 8
"""Some more than half of what the smallest machine carries; whoever finds no place waits as it is told."""
FRAMES = 16
"""Of one session; then the phone gives up."""
WARM_UP_SHARE = 0.25
"""Of the sessions: caches, thread stacks and the allocator's arenas fill up first."""
PARTS = 10
"""Readings of the memory on the way."""
ENDS = frozenset({"result", "problem"})
NO_PLACE = "no_place"
"""How a session ends that the service had no place for in two minutes."""
SETTLE_SECONDS = 16.0
"""A session that has ended is kept for whoever resumes: as long as `HEYAN_RESUME_SECONDS` says, 15 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Resident memory of the service's process, without its store, in MiB."""

    sessions: int
    """After the warm-up."""
    warm_up: int
    growth_mb: float
    """From the end of the warm-up to the end."""
    rss_mb: float
    """In the end."""
    course: tuple[tuple[int, float], ...]
    """Sessions so far, the warm-up counted in, and memory: at its end, at tenths of the way, in the end."""
    not_concluded: int
    """Sessions that did not end in a result; must be 0."""

    @property
    def kb_a_session(self) -> float:
        """Growth by session."""
        return 1024 * self.growth_mb / self.sessions


async def grow(service: Service, reel: Reel, *, sessions: int, advance: Callable[[], object]) -> Growth:
    """Run `sessions` ≥ 1 after a warm-up of a quarter as many; `advance` after each of both.

    Raises:
        httpx.HTTPError: the service refused what a session needs.
    """
    warm_up, numbers = max(PHONES, round(WARM_UP_SHARE * sessions)), count()
    headers = {"Authorization": f"Bearer {service.api_key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=ANSWER_SECONDS) as http:
        await _sessions(http, reel, warm_up, numbers, advance)
        await asyncio.sleep(SETTLE_SECONDS)
        course = [(warm_up, rss_mb(service.process.pid))]
        ends: list[str] = []
        for part in parts_of(sessions):
            ends += await _sessions(http, reel, part, numbers, advance)
            course.append((warm_up + len(ends), rss_mb(service.process.pid)))
        await asyncio.sleep(SETTLE_SECONDS)
        course[-1] = warm_up + len(ends), rss_mb(service.process.pid)
    return Growth(
        sessions=sessions,
        warm_up=warm_up,
        growth_mb=round(course[-1][1] - course[0][1], 2),
        rss_mb=round(course[-1][1], 1),
        course=tuple((count, round(size, 2)) for count, size in course),
        not_concluded=sum(end != "result" for end in ends),
    )


def parts_of(sessions: int) -> list[int]:
    """Tenths of the way, as even as they can be; fewer parts if there are fewer sessions than ten."""
    parts = min(PARTS, sessions)
    ends = [sessions * place // parts for place in range(parts + 1)]
    return [later - sooner for sooner, later in pairwise(ends)]


async def _sessions(
    http: httpx.AsyncClient, reel: Reel, most: int, numbers: Iterator[int], advance: Callable[[], object]
) -> list[str]:
    waiting, ends = iter(range(most)), list[str]()

    async def work() -> None:
        grant: Grant | None = None
        left = 0
        for _ in waiting:
            phone = Phone(http=http, actor=NOBODY, rng=Random(0))
            if grant is None or not left:
                grant = await _granted(phone, reel, next(numbers))
                left = grant.attempts_left
            left -= 1
            ends.append(await _short(phone, grant, Player(reel, number=next(numbers), rng=Random(left))))
            advance()

    await asyncio.gather(*(work() for _ in range(PHONES)))
    return ends


async def _granted(phone: Phone, reel: Reel, number: int) -> Grant:
    desk = Registration(phone.http)
    person = Registrant(name=f"Person {number}", role="shareholder", id_number=f"E{number:08d}", photo=reel.photo)
    filing = await desk.open(person)
    return await phone.agree(await desk.invite(filing, filing.subjects[0]))


async def _short(phone: Phone, grant: Grant, player: Player) -> str:
    """Open, claim, show the face for two seconds, give up: how it ended."""
    attempt, _ = await opened(phone, grant, Visit(), until=monotonic() + LONGEST_SECONDS)
    if attempt is None:
        return NO_PLACE
    async with connect(attempt.stream, subprotocols=[PROTOCOL], compression=None) as socket:
        await socket.send(json.dumps({"type": "claim", "secret": attempt.secret}))
        await socket.recv()
        for seq in range(FRAMES):
            await socket.send(HEADER.pack(NO_NONCE, seq, 0) + player.frame())
            await asyncio.sleep(1 / FRAMES_PER_SECOND)
        await socket.send(json.dumps({"type": "abort"}))
        async for received in socket:
            message: Message = json.loads(received)
            if message["type"] in ENDS:
                return str(message["type"])
    return "connection_lost"
