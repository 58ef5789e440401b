import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from registry_office import VOTE, ClockedStore, Office, open_office, restate

from verify.audit import verify_chain
from verify.casefile import CaseState, Rule
from verify.errors import Conflict, Gone, Invalid, NotFound, Refused, Unavailable
from verify.store import LateError
from verify.store_address import connect_to
from verify.tokens import mintable


async def one_verified(office: Office) -> tuple[str, object, str]:
    """A token, the case file and the subject's id."""
    file, (subject,) = await office.case()
    return await office.verified_token(file, subject), file, subject


async def test_a_token_is_redeemed_once(office: Office) -> None:
    token, file, subject = await one_verified(office)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    with pytest.raises(Conflict) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert (caught.value.code, caught.value.receipt_id) == ("token_already_redeemed", receipt.id)


async def test_a_lost_answer_loses_nothing(office: Office) -> None:
    token, file, subject = await one_verified(office)
    redeemed = await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert await office.redemptions.receipt(office.client, redeemed.id) == redeemed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("case", "case_aaaaaaaaaaaaaaaa"),
        ("subject", "sub_other"),
        ("action", "company.cancel"),
        ("role", "director"),
        ("roster_version", 2),
        ("document_sha256", "0" * 64),
    ],
)
async def test_another_filing_is_refused_burns_nothing_and_leaves_a_trace(
    office: Office, field: str, value: object
) -> None:
    token, file, subject = await one_verified(office)
    with pytest.raises(Refused) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject, **{field: value}))
    assert (caught.value.code, caught.value.fields) == ("restated_field_mismatch", (field,))
    after = await office.file(file.case.id)
    trail = verify_chain(await office.store.audit(file.case.id), expected_head=after.head)
    assert (trail[-1].event, tuple(trail[-1].details["fields"])) == ("redemption.mismatch", (field,))
    assert await office.redemptions.redeem(office.client, token, restate(file, subject))


async def test_another_client_learns_nothing(office: Office) -> None:
    token, file, subject = await one_verified(office)
    other, _ = await office.clients.create("window 2", mode="live")
    with pytest.raises(Refused) as caught:
        await office.redemptions.redeem(other, token, restate(file, subject))
    assert caught.value.code == "token_wrong_audience"
    redeemed = await office.redemptions.redeem(office.client, token, restate(file, subject))
    with pytest.raises(NotFound, match="receipt"):
        await office.redemptions.receipt(other, redeemed.id)


async def test_a_client_of_test_mode_cannot_redeem_a_live_token(office: Office) -> None:
    token, file, subject = await one_verified(office)
    tester = replace(office.client, mode="test")
    with pytest.raises(Invalid) as caught:
        await office.redemptions.redeem(tester, token, restate(file, subject))
    assert caught.value.code == "token_invalid"


async def test_a_token_that_expires_exactly_now_is_expired(office: Office) -> None:
    token, file, subject = await one_verified(office)
    office.store.stop_at(float(office.tokens.read(token, expected_client=office.client).claims.exp))
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "token_expired"


async def test_the_stores_own_clock_has_the_last_word(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    token, file, subject = await one_verified(office)

    async def late(*_: object, **__: object) -> None:
        raise LateError

    monkeypatch.setattr(type(office.store), "decide", late)
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "token_expired"


async def test_a_verification_that_is_over_has_no_worth(office: Office) -> None:
    token, file, subject = await one_verified(office)
    office.store.advance(21 * 86400)
    with pytest.raises(Gone):
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    with pytest.raises(Gone) as caught:
        await office.tokens.mint(office.client, file.case.id, subject)
    assert caught.value.code == "verification_expired"


async def test_minting_again_cancels_the_token_before(office: Office) -> None:
    token, file, subject = await one_verified(office)
    newer = await office.mint(file, subject)
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "token_cancelled"
    assert await office.redemptions.redeem(office.client, newer, restate(file, subject))


async def test_a_redeemed_verification_mints_no_more(office: Office) -> None:
    token, file, subject = await one_verified(office)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    with pytest.raises(Conflict) as caught:
        await office.tokens.mint(office.client, file.case.id, subject)
    assert caught.value.code in {"token_already_redeemed", "case_not_open"}


async def test_minting_for_who_is_redeemed_tells_the_receipt(office: Office) -> None:
    file, (subject, _) = await office.case(2)
    token = await office.verified_token(file, subject)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    with pytest.raises(Conflict) as caught:
        await office.tokens.mint(office.client, file.case.id, subject)
    assert (caught.value.code, caught.value.receipt_id) == ("token_already_redeemed", receipt.id)


async def test_minting_tells_no_receipt_of_another_client(office: Office) -> None:
    file, (subject, _) = await office.case(2)
    token = await office.verified_token(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    redeemed, now = await office.store.load(file.case.id)
    with pytest.raises(Conflict) as caught:
        mintable(redeemed, replace(office.client, id="cli_x"), subject, now=now, epoch=0)
    assert (caught.value.code, caught.value.receipt_id) == ("token_already_redeemed", None)


async def test_cancelling_the_case_revokes(office: Office) -> None:
    token, file, subject = await one_verified(office)
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    with pytest.raises(Conflict, match=r"cancelled \(withdrawn\)") as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "case_not_open"
    with pytest.raises(Conflict) as caught:
        await office.redemptions.redeem_case(office.client, file.case.id, ((token, restate(file, subject)),))
    assert caught.value.code == "case_not_open"
    assert await looked_at(office, token) is None


async def test_a_restored_backup_voids_tokens_and_verifications(office: Office) -> None:
    token, file, subject = await one_verified(office)
    await office.store.bump_epoch()
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "verification_expired"
    await office.verify(file, subject)
    assert await office.redemptions.redeem(office.client, await office.mint(file, subject), restate(file, subject))


async def test_a_receipt_repeats_what_was_redeemed_and_when(office: Office) -> None:
    token, file, subject = await one_verified(office)
    claims = (await office.redemptions.redeem(office.client, token, restate(file, subject))).claims
    assert (claims["case"], claims["subject"], claims["capture"]) == (file.case.id, subject, "unattested")
    assert claims["token"] == office.tokens.read(token, expected_client=office.client).claims.jti
    assert "exp" not in claims


async def test_people_are_redeemed_together_or_not_at_all(office: Office) -> None:
    file, people = await office.case(3)
    await office.verify(file, *people)
    tokens = [(await office.mint(file, subject), restate(file, subject)) for subject in people]
    stale = tokens[2]
    tokens[2] = (await office.mint(file, people[2]), restate(file, people[2]))
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem_case(office.client, file.case.id, (*tokens[:2], stale))
    assert caught.value.code == "token_cancelled"
    assert (await office.file(file.case.id)).receipts == {}
    receipts = await office.redemptions.redeem_case(office.client, file.case.id, tuple(tokens))
    assert len({receipt.id for receipt in receipts}) == 3
    assert (await office.file(file.case.id)).case.state is CaseState.COMPLETED


async def test_a_lost_answer_about_a_whole_case_loses_no_receipt(office: Office) -> None:
    file, people = await office.case(3)
    await office.verify(file, *people)
    tokens = tuple([(await office.mint(file, subject), restate(file, subject)) for subject in people])
    receipts = await office.redemptions.redeem_case(office.client, file.case.id, tokens)
    for order in (1, -1):
        with pytest.raises(Conflict) as caught:
            await office.redemptions.redeem_case(office.client, file.case.id, tokens[::order])
        assert caught.value.code == "token_already_redeemed"
        assert caught.value.receipt_ids == tuple(receipt.id for receipt in receipts)[::order]


async def test_a_whole_case_of_which_one_is_redeemed_is_no_repetition(office: Office) -> None:
    file, people = await office.case(2)
    await office.verify(file, *people)
    tokens = tuple([(await office.mint(file, subject), restate(file, subject)) for subject in people])
    receipt = await office.redemptions.redeem(office.client, *tokens[1])
    with pytest.raises(Conflict) as caught:
        await office.redemptions.redeem_case(office.client, file.case.id, tokens)
    assert (caught.value.receipt_id, caught.value.receipt_ids) == (receipt.id, ())


@pytest.mark.parametrize("presented", [(0,), (0, 0)], ids=["too few", "one person twice"])
async def test_the_rule_must_hold(office: Office, presented: tuple[int, ...]) -> None:
    file, people = await office.case(2)
    await office.verify(file, *people)
    minted = {number: await office.mint(file, people[number]) for number in set(presented)}
    tokens = tuple((minted[number], restate(file, people[number])) for number in presented)
    with pytest.raises(Refused) as caught:
        await office.redemptions.redeem_case(office.client, file.case.id, tokens)
    assert caught.value.code == "rule_not_met"


async def test_two_of_three_are_enough_when_the_rule_says_so(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    file, people = await office.case(3, action=VOTE.name, rule=Rule(kind="k_of_n", k=2))
    await office.verify(file, *people[:2])
    tokens = tuple([(await office.mint(file, subject), restate(file, subject)) for subject in people[:2]])
    assert len(await office.redemptions.redeem_case(office.client, file.case.id, tokens)) == 2
    assert (await office.file(file.case.id)).case.state is CaseState.COMPLETED


async def test_two_thousand_redemptions_of_two_hundred_tokens_redeem_each_once(
    office: Office, valkey_url: str, tmp_path: Path
) -> None:
    """Twenty concurrent clients on two replicas: every token is presented ten times, from everywhere."""
    cases = [await office.case() for _ in range(200)]
    tokens = [(await office.verified_token(file, subject), restate(file, subject)) for file, (subject,) in cases]
    replica = await _replica(office, valkey_url, tmp_path)
    presented = tokens * 10
    rng = secrets.SystemRandom()
    rng.shuffle(presented)
    redeemed: list[str] = []
    refused: list[str] = []

    async def client(number: int) -> None:
        desk = (office, replica)[number % 2]
        for token, restated in presented[number::20]:
            try:
                redeemed.append((await desk.redemptions.redeem(desk.client, token, restated)).claims["token"])
            except Conflict as error:
                refused.append(error.code)

    async with replica.store:
        await asyncio.gather(*(client(number) for number in range(20)))
    assert len(redeemed) == len(set(redeemed)) == 200
    assert refused == ["token_already_redeemed"] * 1800


async def _replica(office: Office, url: str, folder: Path) -> Office:
    """Another process's view of the same installation: same store and keys, own connection and memory."""
    store = ClockedStore(connect_to(url), prefix=office.store._prefix)
    return replace(await open_office(store, folder), client=office.client)


async def looked_at(office: Office, token: str) -> object:
    return await office.redemptions.introspect(office.client, token)


async def test_looking_at_a_token_consumes_nothing(office: Office) -> None:
    token, file, subject = await one_verified(office)
    entries = (await office.file(file.case.id)).entries
    for _ in range(3):
        assert await looked_at(office, token) == office.read(token)
    assert (await office.file(file.case.id)).entries == entries
    assert await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert await looked_at(office, token) is None


async def test_another_client_sees_no_token(office: Office) -> None:
    token, _, _ = await one_verified(office)
    other, _ = await office.clients.create("window 3", mode="live")
    assert await office.redemptions.introspect(other, token) is None
    assert await office.redemptions.introspect(replace(office.client, mode="test"), token) is None


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 5000])
async def test_what_is_no_token_is_not_active(office: Office, text: str) -> None:
    assert await looked_at(office, text) is None


@pytest.mark.parametrize(
    ("claim", "offset", "active"),
    [("iat", -0.001, False), ("iat", 0.0, True), ("exp", -0.001, True), ("exp", 0.0, False)],
)
async def test_a_token_is_good_from_its_first_second_to_the_one_before_its_last(
    office: Office, claim: str, offset: float, active: bool
) -> None:
    token, file, subject = await one_verified(office)
    office.store.stop_at(getattr(office.read(token), claim) + offset)
    assert (await looked_at(office, token) is not None) == active
    redeeming = office.redemptions.redeem(office.client, token, restate(file, subject))
    if active:
        assert await redeeming
        return
    with pytest.raises((Gone, Unavailable)) as caught:
        await redeeming
    assert caught.value.code == ("token_expired" if claim == "exp" else "token_not_yet_valid")


async def test_cancelled_replaced_and_restored_are_not_active(office: Office) -> None:
    token, file, subject = await one_verified(office)
    newer = await office.mint(file, subject)
    assert await looked_at(office, token) is None
    assert await looked_at(office, newer)
    await office.store.bump_epoch()
    assert await looked_at(office, newer) is None


async def test_a_token_survives_the_rotation_of_its_key(office: Office) -> None:
    token, file, subject = await one_verified(office)
    office.keys.rings["live"].rotate(now=time(), at_once=True)
    assert await looked_at(office, token)
    assert await office.redemptions.redeem(office.client, token, restate(file, subject))
