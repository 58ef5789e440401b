"""Many callers want the same tokens, through several replicas over HTTP, while the one store may be killed: what must
hold is that each token is redeemed exactly once, that nothing acknowledged is lost, and that every chain is whole.

Tokens are those of test mode: the way to them is short, the way through redemption the same as in live mode.
"""

import asyncio
import os
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.registration import Filing, Registrant, Registration
from benchmarks.replicas import replica, store_in
from verify.audit import verify_chain
from verify.clients import Clients
from verify.store import Store
from verify.store_address import connect_to

PEOPLE_A_CASE = 10
ANSWER_SECONDS = 60.0
REPEATS = 200
"""After so many answers that the store is not there a caller gives up."""
PAUSE_SECONDS = 0.2
CUT_OFF = 20
"""Redemptions whose connection is cut as soon as the request is sent."""
IDLE_SECONDS = 2.0
"""After so long a connection is not used again: less than the service keeps it for, so that none is just closing."""
REDEEMED, AGAIN, AWAY = 200, 409, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it. `kill`: the store is killed once half of the tokens are redeemed, and started again."""

    clients: int = 50
    each: int = 1000
    tokens: int = 2000
    processes: int = 4
    kill: bool = False


@dataclass(slots=True)
class Told:
    """What all callers were told: successes by token, receipts by token, other answers by code."""

    won: Counter[str] = field(default_factory=Counter)
    receipts: dict[str, set[str]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    half: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once half of the tokens are redeemed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    tokens: int
    redemptions: int
    successes: int
    redeemed_twice: int
    receipts_in_store: int
    receipts_that_differ: int
    """Tokens for which callers were told of more than one receipt, or of one that is not in the store."""
    answers: dict[str, int]
    chains_whole: int
    chains_broken: int
    cut_off: int
    cut_off_with_receipt: int
    killed: bool
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether everything came out as it must. A killed store may have lost answers, never redemptions."""
        allowed = {"token_already_redeemed"} | ({"store_unavailable", "connection_lost"} if self.killed else set())
        told = self.successes == self.tokens or (self.killed and self.successes <= self.tokens)
        return (
            told
            and not self.redeemed_twice
            and not self.receipts_that_differ
            and not self.chains_broken
            and self.receipts_in_store == self.tokens + self.cut_off
            and self.cut_off_with_receipt == self.cut_off
            and set(self.answers) <= allowed
        )


Token = tuple[str, dict[str, Any]]
"""A token, and the body that redeems it."""
Advance = Callable[[], object]


async def contend(plan: Plan, photo: bytes, *, advance: Advance) -> Outcome:
    """Start store and replicas, make the tokens, let everybody redeem them, and look at what is there.

    `advance` is called after each token that was made, and each redemption.
    """
    with TemporaryDirectory(prefix="heyan-contention-") as folder:
        async with store_in(Path(folder)) as embedded, AsyncExitStack() as stack:
            urls = [replica(stack, Path(folder), number, embedded.url).url for number in range(plan.processes)]
            async with Store(connect_to(embedded.url)) as store:
                _, key = await Clients(store, secrets.token_bytes).create("contention", mode="test")
                desks = [_desk(url, key) for url in urls]
                http = [await stack.enter_async_context(desk.http) for desk in desks]
                tokens, cases = await _minted(desks, plan.tokens, photo, advance)
                told, started = Told(), monotonic()
                killing = asyncio.create_task(_kill_halfway(store, told)) if plan.kill else None
                shares = [_share(tokens, number, plan) for number in range(plan.clients)]
                await asyncio.gather(
                    *(_client(http[n % len(http)], share, told, plan, advance) for n, share in enumerate(shares))
                )
                seconds = monotonic() - started
                if killing is not None:
                    await killing
                cut, later = await _minted(desks[:1], CUT_OFF, photo, advance)
                recovered = [await _cut_off(http[0], urls[0], key, token) for token in cut]
                found = await _found(store, [*cases, *later])
                return _outcome(plan, told, found, recovered, seconds)


def _desk(url: str, key: str) -> Registration:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)
    headers = {"Authorization": f"Bearer {key}"}
    return Registration(httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_SECONDS, limits=limits))


async def _minted(
    desks: Sequence[Registration], count: int, photo: bytes, advance: Advance
) -> tuple[list[Token], list[str]]:
    """So many tokens of test subjects, and the ids of their cases."""
    tokens, cases = list[Token](), list[str]()
    starts = iter(range(0, count, PEOPLE_A_CASE))

    async def work(desk: Registration) -> None:
        for start in starts:
            people = [
                Registrant(name="Test Accepted", role="shareholder", id_number=f"E{number:08d}", photo=photo)
                for number in range(start, min(start + PEOPLE_A_CASE, count))
            ]
            filing = await desk.open(*people)
            cases.append(filing.id)
            for subject in filing.subjects:
                tokens.append((await _verified_token(desk, filing, subject), desk.restated(filing, subject)))
                advance()

    await asyncio.gather(*(work(desk) for desk in desks))
    return tokens, cases


async def _verified_token(desk: Registration, filing: Filing, subject: str) -> str:
    simulated = await desk.http.post(f"/v1/test/cases/{filing.id}/subjects/{subject}/simulate")
    simulated.raise_for_status()
    return await desk.mint(filing, subject)


def _share(tokens: Sequence[Token], number: int, plan: Plan) -> list[Token]:
    """What one client redeems, in an order of its own. Together all clients want each token."""
    first = number * plan.each % len(tokens)
    own = [tokens[(first + place) % len(tokens)] for place in range(plan.each)]
    return Random(number).sample(own, len(own))


async def _client(http: httpx.AsyncClient, share: Sequence[Token], told: Told, plan: Plan, advance: Advance) -> None:
    for token, restated in share:
        await _redeem(http, token, restated, told)
        if len(told.won) >= plan.tokens // 2:
            told.half.set()
        advance()


async def _redeem(http: httpx.AsyncClient, token: str, restated: dict[str, Any], told: Told) -> None:
    for _ in range(REPEATS):
        try:
            answer = await http.post("/v1/tokens/redeem", json={"token": token, **restated})
        except httpx.TransportError:
            told.answers["connection_lost"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if answer.status_code == AWAY:
            told.answers[answer.json()["code"]] += 1
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        _note(answer, token, told)
        return
    told.answers["gave_up"] += 1


def _note(answer: httpx.Response, token: str, told: Told) -> None:
    content = answer.json()
    if answer.status_code == REDEEMED:
        told.won[token] += 1
        told.receipts.setdefault(token, set()).add(str(content["id"]))
        return
    told.answers[str(content["code"])] += 1
    if answer.status_code == AGAIN and content.get("receipt_id"):
        told.receipts.setdefault(token, set()).add(str(content["receipt_id"]))


async def _kill_halfway(store: Store, told: Told) -> None:
    """SIGKILL: what the store has not written to its file by then is gone."""
    await told.half.wait()
    os.kill(await store.process_id(), signal.SIGKILL)


async def _cut_off(http: httpx.AsyncClient, url: str, key: str, token: Token) -> bool:
    """Send a redemption, hang up, ask again: whether the receipt can be fetched."""
    name, restated = token
    request = http.build_request("POST", "/v1/tokens/redeem", json={"token": name, **restated})
    address = urlsplit(url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST /v1/tokens/redeem HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
    body = request.content
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()
    told = Told()
    await asyncio.sleep(PAUSE_SECONDS)
    await _redeem(http, name, restated, told)
    answers = [await http.get(f"/v1/receipts/{receipt}") for receipt in told.receipts.get(name, ())]
    return len(answers) == 1 and answers[0].status_code == REDEEMED and bool(answers[0].json())


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store holds in the end."""

    receipts: frozenset[str]
    chains: int
    whole: int


async def _found(store: Store, cases: Sequence[str]) -> _Found:
    whole, receipts = 0, set[str]()
    for case in cases:
        file, _ = await store.load(case)
        receipts |= set(file.receipts)
        whole += len(verify_chain(await store.audit(case), expected_head=file.head)) == file.entries
    return _Found(frozenset(receipts), len(cases), whole)


def _outcome(plan: Plan, told: Told, found: _Found, recovered: Sequence[bool], seconds: float) -> Outcome:
    return Outcome(
        tokens=plan.tokens,
        redemptions=plan.clients * plan.each,
        successes=sum(told.won.values()),
        redeemed_twice=sum(count > 1 for count in told.won.values()),
        receipts_in_store=len(found.receipts),
        receipts_that_differ=sum(len(each) != 1 or not each <= found.receipts for each in told.receipts.values()),
        answers=dict(told.answers),
        chains_whole=found.whole,
        chains_broken=found.chains - found.whole,
        cut_off=len(recovered),
        cut_off_with_receipt=sum(recovered),
        killed=plan.kill,
        seconds=round(seconds, 1),
    )
