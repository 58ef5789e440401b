"""Redemptions bare, through the service's own code and over HTTP, round by round beside each other.

Bare is what nobody can do without: the reads of a redemption and its commit script, by redis-py, with as many callers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_bytes
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, TypeVar

import httpx
import psutil

from benchmarks.service import running_service
from benchmarks.timing import Timed, median_ratio, without_collector
from benchmarks.tokens.bare import Bare, RecordedConnection, Trips, recorded
from benchmarks.tokens.installation import Installation, Verified, install
from verify.connection import client, connect
from verify.embedded import EmbeddedValkey
from verify.jose import sign, verify
from verify.receipts import RECEIPT_KIND
from verify.redemption import SignedReceipt
from verify.signing import RingFile, load_keys
from verify.store import Store
from verify.tokens import TOKEN_KIND

T = TypeVar("T")

OWN, TWIN = "own", "twin"
"""Prefixes of what is redeemed without HTTP, and of its twins: the service, which has another, leaves both alone."""
ANSWER_SECONDS = 60.0

Advance = Callable[[int], object]
Act = Callable[[], Awaitable[T]]
Milliseconds = dict[str, float]
"""Of one round, by what was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it. `redemptions`: over HTTP, and as many without; `callers`: at the same time."""

    redemptions: int = 600
    rounds: int = 6
    callers: int = 8

    @property
    def each(self) -> int:
        """Redemptions of one round."""
        return max(1, self.redemptions // self.rounds)

    @property
    def steps(self) -> int:
        """How far `advance` goes."""
        return self.each * (2 * (self.rounds + 1) + 4 * (self.rounds + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds a round by what was done; `each`: how many of it a round has.

    `bare`, `own`: redemptions by bare redis-py, and by the service's code in the same process. `http_mint`,
    `http_redeem`: over HTTP, and `server_mint`, `server_redeem` the processor time of the server meanwhile. `sign`,
    `verify`: the signatures alone.
    """

    each: int
    timed: dict[str, Timed]

    def per_second(self, name: str) -> float:
        """How many a second, in the median round."""
        return 1000 * self.each / self.timed[name].median

    def microseconds(self, name: str) -> float:
        """Of one, in the median round."""
        return 1000 * self.timed[name].median / self.each

    @property
    def store_ratio(self) -> float:
        """Redemptions a second by the service's code, its signatures taken out, ÷ bare ones; median over rounds."""
        rounds = zip(*(self.timed[name].milliseconds for name in ("own", "sign", "verify")), strict=True)
        without = Timed(tuple(own - signing - verifying for own, signing, verifying in rounds))
        return median_ratio(self.timed["bare"], without)


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
    return Measured(each=plan.each, timed=timed)


async def paced(acts: Iterable[Act[T]], callers: int) -> tuple[float, list[T]]:
    """Milliseconds until so many callers have done all, each one act at a time; and what came of them, in order."""
    waiting, found = iter(enumerate(acts)), dict[int, T]()

    async def call() -> None:
        for number, act in waiting:
            found[number] = await act()

    started = perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return 1000 * (perf_counter() - started), [found[number] for number in sorted(found)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Everything that is measured, over one store. `served`: the service's cases, opened without HTTP."""

    own: Installation
    served: Installation
    bare: Bare
    http: httpx.AsyncClient
    server: psutil.Process
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
        return found

    async def round(self, people: _People, callers: int) -> Milliseconds:
        """Every work once for each of them."""
        over_http = await self._over_http(people.served, callers)
        tokens = [await self.own.mint(each) for each in people.own]
        await self.bare.copy([each.restated.case for each in people.own])
        own, done = await paced(
            [partial(self._redeem, *each) for each in zip(people.own, tokens, strict=True)], callers
        )
        twins = [self.bare.twin_of(trips) for _, trips in done]
        bare, _ = await paced([partial(self.bare.replay, each) for each in twins], callers)
        signatures = self._signatures(tokens, [receipt for receipt, _ in done])
        return {"bare": bare, "own": own, **over_http, **signatures}

    async def _over_http(self, people: tuple[Verified, ...], callers: int) -> Milliseconds:
        start = self._server_ms()
        mint, minted = await paced([partial(self._post, each.path) for each in people], callers)
        between = self._server_ms()
        bodies = [each.body(answer["token"]) for each, answer in zip(people, minted, strict=True)]
        redeem, _ = await paced([partial(self._post, "/v1/tokens/redeem", each) for each in bodies], callers)
        server = {"server_mint": between - start, "server_redeem": self._server_ms() - between}
        return {"http_mint": mint, "http_redeem": redeem, **server}

    async def _post(self, path: str, body: dict[str, object] | None = None) -> Any:
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
        times = self.server.cpu_times()
        return 1000 * float(times.user + times.system)


@asynccontextmanager
async def _bench(folder: Path) -> AsyncIterator[_Bench]:
    """A store that bare redis-py, the service's code and a server process share, each under a prefix of its own."""
    embedded = EmbeddedValkey(folder / "store")
    await embedded.start(supervise=False)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(embedded.close)
        service = stack.enter_context(running_service(folder / "service", store_url=embedded.url))
        keys = load_keys(service.data_dir, entropy=token_bytes)
        recording = Store(RecordedConnection(client(embedded.url)), prefix=OWN)
        own = await install(await stack.enter_async_context(recording), keys)
        served = await install(await stack.enter_async_context(Store(connect(embedded.url))), keys)
        bare = Bare(embedded.url, prefix=OWN, twin=TWIN)
        stack.push_async_callback(bare.close)
        headers = {"Authorization": f"Bearer {served.api_key}"}
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=service.url, headers=headers, timeout=ANSWER_SECONDS)
        )
        yield _Bench(
            own=own,
            served=served,
            bare=bare,
            http=http,
            server=psutil.Process(service.process.pid),
            ring=keys.rings["test"],
        )
