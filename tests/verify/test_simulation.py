from dataclasses import replace

import pytest
from registry_office import CONVINCING, Office, filing, person, restate

from verify.casefile import CaseFile
from verify.errors import VerifyError
from verify.sessions import SIMULATED
from verify.simulation import PARTS, Simulated, Simulations
from verify.standing import standing

ENDS = {
    "Test Accepted": ("accepted", None, "verified"),
    "Test Declines": ("declined", None, "declined"),
    "Test Photo Unusable": ("reference_unusable", "face_none", "reference_unusable"),
    "Test Times Out": ("timed_out", None, "pending"),
    "Test Interrupted": ("retry", "interrupted", "pending"),
    "Test No Face": ("retry", "no_face", "pending"),
    "Test Several Faces": ("retry", "several_faces", "pending"),
    "Test Too Far": ("retry", "come_closer", "pending"),
    "Test Too Dark": ("retry", "more_light", "pending"),
    "Test Blurred": ("retry", "hold_still", "pending"),
    "Test Ignores Cues": ("retry", "follow_the_cues", "pending"),
    "Test Wrong Motion": ("retry", "follow_the_cues", "pending"),
    "Test Mismatch": ("rejected", "not_verified", "pending"),
    "Test Attack": ("rejected", "not_verified", "pending"),
    "Test Unclear": ("referred", "use_window", "pending"),
}


@pytest.fixture
def testing(office: Office) -> Office:
    """The office with a client of test mode."""
    return replace(office, client=replace(office.client, mode="test"))


def simulations(office: Office) -> Simulations:
    return Simulations(store=office.store, vault=office.keys.vault, invites=office.invites, sessions=office.sessions)


async def opened(office: Office, name: str) -> tuple[CaseFile, str]:
    new = filing(subjects=(person(name=name),))
    file = (await office.cases.open(office.client, new)).file
    return file, next(iter(file.subjects))


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def test_in_test_mode_an_authority_is_simulated_too(testing: Office) -> None:
    held = person(name="Test Accepted", photo=None, provenance=None, from_authority=True)
    file = (await testing.cases.open(testing.client, filing(subjects=(held,)))).file
    ended = await simulations(testing).run(testing.client, file.case.id, next(iter(file.subjects)))
    assert ended == Simulated(outcome="accepted")


@pytest.mark.parametrize("name", PARTS)
async def test_every_test_subject_ends_as_the_table_says(testing: Office, name: str) -> None:
    file, subject = await opened(testing, name)
    for _ in range(2 if ENDS[name][0] in {"retry", "rejected", "referred"} else 1):
        ended = await simulations(testing).run(testing.client, file.case.id, subject)
        assert ended == Simulated(outcome=ENDS[name][0], reason=ENDS[name][1])
    after, now = await testing.store.load(file.case.id)
    assert standing(after, subject, now=now, epoch=0) == ENDS[name][2]


async def test_a_simulated_verification_says_so_in_token_receipt_and_audit(testing: Office) -> None:
    file, subject = await opened(testing, "Test Accepted")
    await simulations(testing).run(testing.client, file.case.id, subject)
    token = await testing.mint(file, subject)
    receipt = await testing.redemptions.redeem(testing.client, token, restate(file, subject))
    assert receipt.claims["capture"] == SIMULATED
    assert receipt.claims["iss"].endswith("/test")
    trail = b"".join(await testing.store.audit(file.case.id))
    assert b'"capture":"simulated"' in trail


async def test_no_live_key_can_redeem_a_token_of_test_mode(office: Office, testing: Office) -> None:
    file, subject = await opened(testing, "Test Accepted")
    await simulations(testing).run(testing.client, file.case.id, subject)
    token = await testing.mint(file, subject)
    assert await refusal(office.redemptions.redeem(office.client, token, restate(file, subject))) == "token_invalid"


async def test_nothing_is_simulated_in_live_mode(office: Office, testing: Office) -> None:
    file, subject = await opened(office, "Test Accepted")
    for client in (office.client, testing.client):
        code = await refusal(simulations(office).run(client, file.case.id, subject))
        assert code == ("test_mode_only" if client.mode == "live" else "case_unknown")
    simulated = replace(CONVINCING, liveness=replace(CONVINCING.liveness, capture=SIMULATED))
    claim = await office.claim(file, subject)
    assert await refusal(office.sessions.finish(claim, simulated)) == "test_mode_only"


async def test_a_name_that_says_nothing_lists_those_that_do(testing: Office) -> None:
    file, subject = await opened(testing, "张三丰")
    with pytest.raises(VerifyError) as caught:
        await simulations(testing).run(testing.client, file.case.id, subject)
    assert caught.value.code == "test_subject_unknown"
    assert "Test Accepted" in str(caught.value)
    assert "张" not in str(caught.value)


async def test_whoever_is_verified_is_done(testing: Office) -> None:
    file, subject = await opened(testing, "Test Accepted")
    await simulations(testing).run(testing.client, file.case.id, subject)
    assert await refusal(simulations(testing).run(testing.client, file.case.id, subject)) == "already_verified"


async def test_an_unknown_subject_is_unknown(testing: Office) -> None:
    file, _ = await opened(testing, "Test Accepted")
    assert await refusal(simulations(testing).run(testing.client, file.case.id, "sub_x")) == "subject_unknown"
