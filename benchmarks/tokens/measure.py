"""Redemptions bare, through the service's own code and over HTTP, round by round beside each other.

Bare is what nobody can do without: the reads of a redemption and its commit script with all arguments, in as many round
trips, on the same store, from as many callers; once by redis-py's pipelines, once as the service sends them. While that
is measured the service rests: what its redemptions have left for its outbox was worked off before, and counted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from secrets import token_bytes
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, TypeVar

import httpx
import psutil

from benchmarks.service import HEYAN, Service, ServiceError, running_service
from benchmarks.timing import Timed, median_ratio, without_collector
from benchmarks.tokens import profiled
from benchmarks.tokens.bare import Bare, RecordedConnection, Send, Trips, recorded
from benchmarks.tokens.installation import Installation, Verified, install
from benchmarks.tokens.signatures import timed_signatures
from verify.connection import client, connect
from verify.embedded import EmbeddedValkey
from verify.jose import sign, verify
from verify.receipts import RECEIPT_KIND
from verify.redemption import SignedReceipt
from verify.signing import RingFile, load_keys
from verify.store import PENDING, Store
from verify.tokens import TOKEN_KIND

T = TypeVar("T")

OWN, TWIN, OTHER_TWIN = "own", "twin", "other"
"""Prefixes of what is redeemed without HTTP, and of its twins: the service, which has another, leaves all alone."""
ANSWER_SECONDS = 60.0
REST_SECONDS = 120.0
"""How long the service may take until its outbox is empty."""
POLL_SECONDS = 0.1

Advance = Callable[[int], object]
Act = Callable[[], Awaitable[T]]
Milliseconds = dict[str, float]
"""Of one round, by what was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it. `redemptions`: over HTTP, and as many without; `callers`: at the same time; `profile`: one round
    more, by a service under a profiler."""

    redemptions: int = 2400
    rounds: int = 12
    callers: int = 8
    profile: bool = False

    @property
    def each(self) -> int:
        """Redemptions of one round."""
        return max(1, self.redemptions // self.rounds)

    @property
    def steps(self) -> int:
        """How far `advance` goes."""
        return 6 * self.each * (self.rounds + 1 + 2 * self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds a round by what was done; `each`: how many of it a round has.

    `bare`, `sent`, `own`: redemptions by bare redis-py, by what the service puts in place of its pipelines, and by the
    service's code in the same process, of which `own_signatures` for its signatures (`benchmarks.tokens.signatures`).
    `http_mint`, `http_redeem`: over HTTP, and `server_mint`, `server_redeem` the processor time of the server
    meanwhile; `server_notices`: then, until its outbox was empty. `sign`, `verify`: one signature of each kind, in
    loops of their own. `profile`: shares of the server's processor time in redemptions; empty if it was not asked for.
    """

    each: int
    timed: dict[str, Timed]
    profile: Mapping[str, float] = field(default_factory=dict)

    def per_second(self, name: str) -> float:
        """How many a second, in the median round."""
        return 1000 * self.each / self.timed[name].median

    def microseconds(self, name: str) -> float:
        """Of one, in the median round."""
        return 1000 * self.timed[name].median / self.each

    @property
    def store_ratio(self) -> float:
        """Redemptions a second by the service's code, its signatures taken out, ÷ bare ones; median over rounds."""
        return self._ratio("bare")

    @property
    def code_ratio(self) -> float:
        """The same beside bare ones that are sent as the service does: what its code costs apart from that."""
        return self._ratio("sent")

    def _ratio(self, name: str) -> float:
        rounds = zip(*(self.timed[name].milliseconds for name in ("own", "own_signatures")), strict=True)
        without = Timed(tuple(own - signatures for own, signatures in rounds))
        return median_ratio(self.timed[name], without)


@dataclass(frozen=True, slots=True)
class _People:
    """Who is redeemed in one round: without HTTP, and over it."""

    own: tuple[Verified, ...]
    served: tuple[Verified, ...]


async def measure(plan: Plan, *, advance: Advance) -> Measured:
    """Start store and service, verify people, then do everything once a round, after one to warm up.

    `advance` is called with the number of steps that were done, of `Plan.steps`.

    Raises:
        ServiceError: the service did not start. NotAppliedError: somebody else used the store.
    """
    found = list[Milliseconds]()
    with TemporaryDirectory(prefix="heyan-tokens-") as folder:
        async with _bench(Path(folder)) as bench:
            everybody = await bench.people(plan, advance)
            with without_collector():
                for people in everybody:
                    found.append(await bench.round(people, plan.callers))
                    advance(4 * plan.each)
    timed = {name: Timed(tuple(each[name] for each in found[1:])) for name in found[0]}
    profile = await _profile(plan, advance) if plan.profile else {}
    return Measured(each=plan.each, timed=timed, profile=profile)


async def _profile(plan: Plan, advance: Advance) -> dict[str, float]:
    """A round to warm up, then the redemptions of another under a profiler."""
    with TemporaryDirectory(prefix="heyan-tokens-") as folder:
        file = Path(folder) / "profile"
        async with _bench(Path(folder), program=profiled.program(file)) as bench:
            warming, people = await bench.people(replace(plan, rounds=1, redemptions=plan.each), advance)
            await bench.redeemed(await bench.minted(warming.served, plan.callers), plan.callers)
            bodies = await bench.minted(people.served, plan.callers)
            profiled.switch(bench.service)
            await bench.redeemed(bodies, plan.callers)
            profiled.switch(bench.service)
            advance(8 * plan.each)
        return profiled.shares(file)


async def paced(acts: Iterable[Act[T]], callers: int) -> tuple[float, list[T]]:
    """Milliseconds until so many callers have done all, each one act at a time; and what came of them, in order."""
    waiting, found = iter(enumerate(acts)), dict[int, T]()

    async def call() -> None:
        for number, act in waiting:
            found[number] = await act()

    started = perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return 1000 * (perf_counter() - started), [found[number] for number in sorted(found)]


Body = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Everything that is measured, over one store. `served`: the service's cases, opened without HTTP."""

    own: Installation
    served: Installation
    bare: Bare
    sent: Bare
    http: httpx.AsyncClient
    service: Service
    ring: RingFile

    async def people(self, plan: Plan, advance: Advance) -> list[_People]:
        """For each round, and one to warm up."""
        found = list[_People]()
        for start in range(0, (plan.rounds + 1) * plan.each, plan.each):
            numbers = range(start, start + plan.each)
            _, own = await paced([partial(self.own.verified, n) for n in numbers], plan.callers)
            _, served = await paced([partial(self.served.verified, n) for n in numbers], plan.callers)
            found.append(_People(tuple(own), tuple(served)))
            advance(2 * plan.each)
        await self.own.checkpoints.advance()
        await self._rested()
        return found

    async def round(self, people: _People, callers: int) -> Milliseconds:
        """Every work once for each of them."""
        over_http = await self._over_http(people.served, callers)
        tokens = [await self.own.mint(each) for each in people.own]
        for each in (self.bare, self.sent):
            await each.copy([person.restated.case for person in people.own])
        with timed_signatures() as spent:
            own, done = await paced(
                [partial(self._redeem, *each) for each in zip(people.own, tokens, strict=True)], callers
            )
        trips = [trips for _, trips in done]
        sent = await _replayed(self.sent, trips, self.sent.by_exchange, callers)
        bare = await _replayed(self.bare, trips, self.bare.by_pipeline, callers)
        signatures = self._signatures(tokens, [receipt for receipt, _ in done])
        own_signatures = {"own_signatures": spent.milliseconds}
        return {"bare": bare, "sent": sent, "own": own, **own_signatures, **over_http, **signatures}

    async def minted(self, people: Sequence[Verified], callers: int) -> list[Body]:
        """What redeems a fresh token of each of them over HTTP."""
        minted = await self._posted([(each.path, None) for each in people], callers)
        return [each.body(answer["token"]) for each, answer in zip(people, minted, strict=True)]

    async def redeemed(self, bodies: Sequence[Body], callers: int) -> None:
        """Redeem over HTTP."""
        await self._posted([("/v1/tokens/redeem", body) for body in bodies], callers)

    async def _over_http(self, people: Sequence[Verified], callers: int) -> Milliseconds:
        bodies, mint, server_mint = await self._watched(self.minted(people, callers))
        _, redeem, server_redeem = await self._watched(self.redeemed(bodies, callers))
        _, _, server_notices = await self._watched(self._rested())
        servers = {"server_mint": server_mint, "server_redeem": server_redeem, "server_notices": server_notices}
        return {"http_mint": mint, "http_redeem": redeem, **servers}

    async def _watched(self, work: Awaitable[T]) -> tuple[T, float, float]:
        """What came of it, how long it took, and the server's processor time meanwhile; milliseconds."""
        before, started = self._server_ms(), perf_counter()
        found = await work
        return found, 1000 * (perf_counter() - started), self._server_ms() - before

    async def _rested(self) -> None:
        """Wait until the service has told what was committed. Raises ServiceError."""
        until = perf_counter() + REST_SECONDS
        while await self.served.store.ask("ZCARD", PENDING):
            if perf_counter() > until:
                raise ServiceError(f"the service did not work off its notices within {REST_SECONDS:.0f} s")
            await asyncio.sleep(POLL_SECONDS)

    async def _posted(self, requests: Sequence[tuple[str, Body | None]], callers: int) -> list[Any]:
        _, answers = await paced([partial(self._post, *each) for each in requests], callers)
        return answers

    async def _post(self, path: str, body: Body | None) -> Any:
        answer = await self.http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    async def _redeem(self, person: Verified, token: str) -> tuple[SignedReceipt, Trips]:
        with recorded() as trips:
            return await self.own.redemptions.redeem(self.own.client, token, person.restated), trips

    def _signatures(self, tokens: list[str], receipts: list[SignedReceipt]) -> Milliseconds:
        """One of each kind a redemption: its token's is verified, its receipt's made."""
        key = self.ring.ring.keys[-1]
        assert key.signing is not None  # noqa: S101  (the newest key of a ring signs)
        started = perf_counter()
        for token in tokens:
            verify(token, expected_keys=(key.public,), expected_kind=TOKEN_KIND)
        between = perf_counter()
        for receipt in receipts:
            sign(receipt.claims, key=key.signing, kind=RECEIPT_KIND)
        return {"verify": 1000 * (between - started), "sign": 1000 * (perf_counter() - between)}

    def _server_ms(self) -> float:
        """Processor time of the server so far."""
        times = psutil.Process(self.service.process.pid).cpu_times()
        return 1000 * float(times.user + times.system)


async def _replayed(bare: Bare, trips: Sequence[Trips], send: Send, callers: int) -> float:
    """Milliseconds for the same on twins."""
    milliseconds, _ = await paced([partial(bare.replay, bare.twin_of(each), send) for each in trips], callers)
    return milliseconds


@asynccontextmanager
async def _bench(folder: Path, *, program: Sequence[str | Path] = (HEYAN,)) -> AsyncIterator[_Bench]:
    """A store that bare redis-py, the service's code and a server process share, each under a prefix of its own."""
    embedded = EmbeddedValkey(folder / "store")
    await embedded.start(supervise=False)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(embedded.close)
        running = running_service(folder / "service", program=program, store_url=embedded.url)
        service = stack.enter_context(running)
        keys = load_keys(service.data_dir, entropy=token_bytes)
        recording = Store(RecordedConnection(client(embedded.url)), prefix=OWN)
        own = await install(await stack.enter_async_context(recording), keys)
        served = await install(await stack.enter_async_context(Store(connect(embedded.url))), keys)
        bare, sent = (Bare(embedded.url, prefix=OWN, twin=twin) for twin in (TWIN, OTHER_TWIN))
        for each in (bare, sent):
            stack.push_async_callback(each.close)
        headers = {"Authorization": f"Bearer {served.api_key}"}
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=service.url, headers=headers, timeout=ANSWER_SECONDS)
        )
        yield _Bench(own=own, served=served, bare=bare, sent=sent, http=http, service=service, ring=keys.rings["test"])
