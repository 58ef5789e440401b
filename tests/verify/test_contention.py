"""Many callers who want the same tokens at once, through four replicas on one store, which is killed in the middle."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from registry_office import ClockedStore, Office, open_office, restate
from valkey_process import kill_and_start

from verify.audit import verify_chain
from verify.connection import connect
from verify.embedded import EmbeddedValkey
from verify.errors import Conflict, StoreUnavailable
from verify.redemption import Redemptions, Restated

REPLICAS, CALLERS, CASES = 4, 10, 10
REPEATS = 40
"""After so many answers that the store is not there a caller gives up."""


@dataclass
class Seen:
    """What all callers were told: successes and receipts by token, answers by code."""

    won: Counter[str] = field(default_factory=Counter)
    receipts: dict[str, set[str]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    half: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once half of the tokens are redeemed."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    yield embedded
    await embedded.close()


@pytest.mark.parametrize("killed", [False, True])
async def test_each_token_is_redeemed_once_whoever_asks(server: EmbeddedValkey, tmp_path: Path, killed: bool) -> None:
    prefix, seen = f"test-{secrets.token_hex(6)}", Seen()
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(ClockedStore(connect(server.url), prefix=prefix)) for _ in range(REPLICAS)
        ]
        office = await open_office(stores[0], tmp_path)
        tokens = await minted(office)
        ways = [through(office, store) for store in stores]
        calling = [call(office, ways[number % REPLICAS], tokens, seen, Random(number)) for number in range(CALLERS)]
        work = asyncio.gather(*calling)
        if killed:
            await asyncio.wait_for(seen.half.wait(), timeout=60)
            await kill_and_start(server)
        await work
        await check(office, tokens, seen, all_told=not killed)


async def minted(office: Office) -> dict[str, Restated]:
    """Two people's tokens of each case, and what they are redeemed with."""
    tokens: dict[str, Restated] = {}
    for _ in range(CASES):
        file, subjects = await office.case(2)
        for subject in subjects:
            tokens[await office.verified_token(file, subject)] = restate(file, subject)
    return tokens


def through(office: Office, store: ClockedStore) -> Redemptions:
    """Redemptions as another process of the service does them: nothing is shared but the store and the keys."""
    tokens, checkpoints = replace(office.tokens, store=store), replace(office.checkpoints, store=store)
    return replace(office.redemptions, store=store, tokens=tokens, checkpoints=checkpoints)


async def call(office: Office, way: Redemptions, tokens: dict[str, Restated], seen: Seen, rng: Random) -> None:
    """Redeem every token, in an order of one's own; whoever is refused fetches the receipt."""
    for token in rng.sample(list(tokens), len(tokens)):
        for _ in range(REPEATS):
            try:
                receipt = (await way.redeem(office.client, token, tokens[token])).id
                seen.won[token] += 1
            except StoreUnavailable:
                seen.answers["store_unavailable"] += 1
                continue
            except Conflict as refusal:
                seen.answers[refusal.code] += 1
                receipt = str(refusal.receipt_id)
            seen.receipts.setdefault(token, set()).add(receipt)
            if len(seen.won) >= len(tokens) // 2:
                seen.half.set()
            break
        else:
            pytest.fail("the store did not come back")


async def check(office: Office, tokens: dict[str, Restated], seen: Seen, *, all_told: bool) -> None:
    """One receipt for each token, the same for all who asked; every chain whole; no other answer than documented."""
    assert set(seen.answers) <= {"token_already_redeemed", *(() if all_told else ("store_unavailable",))}
    assert set(seen.receipts) == set(tokens)
    assert max(seen.won.values()) == 1
    assert not all_told or len(seen.won) == len(tokens)
    for token, restated in tokens.items():
        file, _ = await office.store.load(restated.case)
        verify_chain(await office.store.audit(restated.case), expected_head=file.head)
        (told,) = seen.receipts[token]
        assert [key for key, each in file.receipts.items() if each.claims["subject"] == restated.subject] == [told]
