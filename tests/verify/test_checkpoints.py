import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from registry_office import ClockedStore, Office, open_office, restate

from verify.audit import heads
from verify.checkpoints import CHECKPOINT_KIND, NONE_YET, SETTLED_SECONDS, Checkpoint, check_checkpoint, leaf_hash_of
from verify.errors import Invalid, NotFound, Unavailable
from verify.jose import new_signing_key, read_key_set, sign
from verify.merkle import is_consistent, is_included
from verify.receipts import RECEIPT_KIND
from verify.store_address import connect_to


async def advanced(office: Office) -> Checkpoint:
    checkpoint = await office.checkpoints.advance()
    assert checkpoint is not None
    return checkpoint


async def test_nothing_has_no_checkpoint(office: Office) -> None:
    assert await office.checkpoints.advance() is None
    assert await office.checkpoints.newest() is None


async def test_a_checkpoint_covers_every_case_as_it_is(office: Office) -> None:
    files = [(await office.case())[0] for _ in range(5)]
    checkpoint = await advanced(office)
    assert (checkpoint.claims.n, checkpoint.claims.size) == (1, 5)
    for file in files:
        proof = await office.checkpoints.inclusion(file.case.id)
        assert proof is not None
        assert (proof.placed.leaf.head, proof.placed.leaf.entries) == (file.head, 1)
        assert proof_holds(proof)


def proof_holds(proof: object) -> bool:
    claims = proof.checkpoint.claims
    return is_included(
        leaf=leaf_hash_of(proof.placed.leaf),
        index=proof.placed.index,
        size=claims.size,
        path=[bytes.fromhex(each) for each in proof.path],
        root=bytes.fromhex(claims.root),
    )


async def test_only_what_has_changed_is_appended(office: Office) -> None:
    (file, (subject,)), _ = await office.case(), await office.case()
    await advanced(office)
    assert await office.checkpoints.advance() is None
    await office.invite(file, subject)
    second = await advanced(office)
    assert (second.claims.n, second.claims.size) == (2, 3)


async def test_each_checkpoint_provably_continues_every_earlier_one(office: Office) -> None:
    made = [NONE_YET]
    for people in (1, 3, 1, 2):
        for _ in range(people):
            await office.case()
        made.append((await advanced(office)).claims)
    for place, old in enumerate(made):
        for new in made[max(1, place) :]:
            path = [bytes.fromhex(each) for each in await office.checkpoints.consistency(old, new)]
            roots = {"old_root": bytes.fromhex(old.root), "new_root": bytes.fromhex(new.root)}
            assert is_consistent(old=old.size, new=new.size, path=path, **roots)


async def test_a_mark_is_forgotten_only_when_its_change_is_certainly_there(office: Office) -> None:
    await office.case()
    await advanced(office)
    assert len(await office.store.ledger.marked(limit=9)) == 1
    office.store.advance(SETTLED_SECONDS + 1)
    assert await office.checkpoints.advance() is None
    assert await office.store.ledger.marked(limit=9) == ()


async def test_a_mark_that_was_renewed_meanwhile_stays(office: Office) -> None:
    file, (subject,) = await office.case()
    marked = await office.store.ledger.marked(limit=9)
    office.store.advance(5)
    await office.invite(file, subject)
    await office.store.ledger.settle(marked)
    assert [mark.case for mark in await office.store.ledger.marked(limit=9)] == [file.case.id]


async def test_replicas_at_the_same_time_sign_one_history(office: Office, valkey_url: str, tmp_path: Path) -> None:
    async with ClockedStore(connect_to(valkey_url), prefix=office.store._prefix) as other_store:
        other = replace(await open_office(other_store, tmp_path), client=office.client)
        for _ in range(4):
            await office.case()
            await asyncio.gather(*(each.checkpoints.advance() for each in (office, other, office, other)))
        listed = await office.checkpoints.list(after=0, limit=100)
    assert [each.claims.n for each in listed] == list(range(1, len(listed) + 1))
    assert listed[-1].claims.size == 4


async def test_only_one_replica_has_the_turn(office: Office) -> None:
    ledger = office.store.ledger
    assert await ledger.take_turn("a", seconds=10)
    assert not await ledger.take_turn("b", seconds=10)
    assert await ledger.take_turn("a", seconds=30)
    assert 10_000 < await office.store._connection.ask("PTTL", ledger._key("lease")) <= 30_000


async def test_a_receipt_carries_the_newest_checkpoint_and_its_place_in_the_chain(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    checkpoint = await advanced(office)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    claims = checkpoint.claims
    carried = tuple(receipt.claims[name] for name in ("checkpoint", "checkpoint_size", "checkpoint_root"))
    assert carried == (claims.n, claims.size, claims.root)
    contents = await office.store.audit(file.case.id)
    at = int(receipt.claims["audit_entries"])
    assert list(heads(contents))[at] == receipt.claims["audit_head"]
    assert receipt.id in json.loads(contents[at])["details"]["receipts"]


async def test_the_checkpoint_key_signs_checkpoints_alone(office: Office) -> None:
    await office.case()
    checkpoint = await advanced(office)
    keys = read_key_set(json.dumps(office.tokens.jwks()).encode())
    assert check_checkpoint(checkpoint.text, expected_keys=keys) == checkpoint
    content = {"iss": "heyan", "n": 1, "size": 1, "root": "", "previous": "", "iat": 1, "epoch": 0}
    forged = [
        sign(content, key=office.signer("live"), kind=CHECKPOINT_KIND),
        sign(content, key=new_signing_key(), kind=CHECKPOINT_KIND),
        sign(content, key=office.signer("checkpoint"), kind=RECEIPT_KIND),
        sign({"n": 1}, key=office.signer("checkpoint"), kind=CHECKPOINT_KIND),
        "",
    ]
    for text in forged:
        with pytest.raises(Invalid) as caught:
            check_checkpoint(text, expected_keys=keys)
        assert caught.value.code == "checkpoint_invalid"


async def test_a_checkpoint_of_somebody_else_in_the_store_is_never_given_out(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    await advanced(office)
    await office.store._connection.ask("LSET", office.store.ledger._key("checkpoints"), 0, "e30.e30.AA")
    with pytest.raises(Unavailable) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "checkpoint_damaged"


@pytest.mark.parametrize("way", ["garbage", "older", "gone", "all gone"])
async def test_nothing_is_signed_on_top_of_what_is_not_ours(office: Office, way: str) -> None:
    await office.case()
    older = await advanced(office)
    await office.case()
    await advanced(office)
    ledger = office.store.ledger
    before = await ledger.checkpoints(after=0, limit=9)
    kept = {"garbage": [older.text, "e30.e30.AA"], "older": [older.text] * 2, "gone": [older.text], "all gone": []}
    await ledger.connection.ask("DEL", ledger._key("checkpoints"))
    for text in kept[way]:
        await ledger.connection.ask("RPUSH", ledger._key("checkpoints"), text)
    await office.case()
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await office.checkpoints.advance()
        assert caught.value.code == "checkpoint_damaged"
    assert await ledger.checkpoints(after=0, limit=9) == tuple(kept[way])
    await ledger.connection.ask("DEL", ledger._key("checkpoints"))
    for text in before:
        await ledger.connection.ask("RPUSH", ledger._key("checkpoints"), text)
    assert (await advanced(office)).claims.n == 3


async def test_checkpoints_go_on_from_one_that_a_retired_key_has_signed(office: Office) -> None:
    await office.case()
    await advanced(office)
    office.keys.rings["checkpoint"].rotate(now=await office.store.now(), at_once=True)
    await office.case()
    assert (await advanced(office)).claims.n == 2


@pytest.mark.parametrize("number", [-1, 0, 1, 10**12])
async def test_an_unknown_number_is_unknown(office: Office, number: int) -> None:
    with pytest.raises(NotFound) as caught:
        await office.checkpoints.get(number)
    assert caught.value.code == "checkpoint_unknown"
