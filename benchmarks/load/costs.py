"""What one verification takes from case to redeemed token: processor time, network, memory and disk of the store."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random

import httpx

from benchmarks.load.gauges import tree_cpu_seconds
from benchmarks.load.player import Player
from benchmarks.load.reels import FRAMES_PER_SECOND, Reel
from benchmarks.load.room import ANSWER_SECONDS
from benchmarks.load.visit import Visit, attempted, entered
from benchmarks.registration import Registration
from benchmarks.service import Service
from verify.connection import Connection, connect
from verify.embedded import EmbeddedValkey

WARM_UP = 1
"""Verifications before anything is read: what the service and its store set up once is not of any of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of one verification, means. Retries are in it: what was spent on all, by those that were accepted."""

    verifications: int
    cpu_s: float
    """Of the service and its store."""
    up_bytes: float
    """Frames, as the phone sends them."""
    store_bytes: float
    """Memory of the store that stays taken: the case, its evidence and receipt, with the audit's entries."""
    log_bytes: float
    """That the store wrote to its append-only file; it is rewritten smaller now and then."""
    session_seconds: float


async def measure_costs(service: Service, reel: Reel, *, verifications: int, advance: Callable[[], object]) -> Costs:
    """Verify so many people, one after the other, after one to warm up; `advance` after each.

    Raises:
        httpx.HTTPError: the service refused what it should take.
        ValueError: nobody was accepted.
    """
    headers = {"Authorization": f"Bearer {service.api_key}"}
    embedded = EmbeddedValkey(service.data_dir / "store")
    async with (
        httpx.AsyncClient(base_url=service.url, headers=headers, timeout=ANSWER_SECONDS) as http,
        _connected(embedded.url) as store,
    ):
        for number in range(WARM_UP):
            await _whole_way(http, reel, number)
            advance()
        before, cpu, log = await _taken(store), tree_cpu_seconds(service.process.pid), _log_size(embedded.folder)
        visits: list[Visit] = []
        for number in range(WARM_UP, WARM_UP + verifications):
            visits.append(await _whole_way(http, reel, number))
            advance()
        cpu = tree_cpu_seconds(service.process.pid) - cpu
        after, log = await _taken(store), _log_size(embedded.folder) - log
    accepted = sum(visit.outcome == "accepted" for visit in visits)
    if not accepted:
        raise ValueError("nobody was accepted: is the machine too busy for one phone?")
    return Costs(
        verifications=accepted,
        cpu_s=cpu / accepted,
        up_bytes=sum(visit.sent_bytes for visit in visits) / accepted,
        store_bytes=(after - before) / accepted,
        log_bytes=log / accepted,
        session_seconds=sum(visit.frames for visit in visits) / FRAMES_PER_SECOND / accepted,
    )


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    """A connection beside the service's own."""
    store = connect(url)
    try:
        yield store
    finally:
        await store.close()


async def _whole_way(http: httpx.AsyncClient, reel: Reel, number: int) -> Visit:
    """Case, invite, consent, live session; token and redemption if it was accepted."""
    desk, visit = Registration(http), Visit()
    person = await entered(http, reel.photo, number=number)
    await attempted(person, Player(reel, number=number, rng=Random(number)), visit, until=inf)
    if visit.outcome == "accepted":
        (subject,) = person.filing.subjects
        token = await desk.mint(person.filing, subject)
        (await desk.redeem(person.filing, subject, token)).raise_for_status()
    return visit


async def _taken(store: Connection) -> int:
    return int((await store.ask("INFO", "memory"))["used_memory"])


def _log_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.aof"))
