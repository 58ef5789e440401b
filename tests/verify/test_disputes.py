import pytest
from registry_office import Office, restate

from verify.audit import verify_chain
from verify.casefile import CaseState, VerificationState
from verify.disputes import LINK_SECONDS
from verify.errors import Conflict, Gone, NotFound, VerifyError


async def reported(office: Office, case_id: str) -> list[dict[str, str]]:
    return [each.data for each in await office.store.notices(case_id) if each.type == "subject.disputed"]


async def test_a_report_voids_what_is_not_redeemed_and_tells_the_client(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    code = (await office.disputes.issue(office.client, file.case.id, subject)).code
    seen = await office.disputes.report(code)
    assert seen.disputed_at is not None
    after = await office.file(file.case.id)
    assert [each.state for each in after.verifications.values()] == [VerificationState.REVOKED]
    assert after.case.state is CaseState.OPEN
    with pytest.raises(VerifyError) as refused:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert refused.value.code == "verification_revoked"
    (told,) = await reported(office, file.case.id)
    assert (told["subject"], told["receipt"]) == (subject, "")


async def test_what_was_redeemed_stays_and_its_receipt_is_named(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    code = (await office.disputes.issue(office.client, file.case.id, subject)).code
    await office.disputes.report(code)
    after = await office.file(file.case.id)
    assert [each.state for each in after.verifications.values()] == [VerificationState.REDEEMED]
    assert after.case.state is CaseState.COMPLETED
    (told,) = await reported(office, file.case.id)
    assert told["receipt"] == receipt.id
    entries = verify_chain(await office.store.audit(file.case.id), expected_head=after.head)
    assert entries[-1].event == "verification.disputed"


async def test_looking_burns_nothing_and_a_second_report_adds_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    code = (await office.disputes.issue(office.client, file.case.id, subject)).code
    seen = await office.disputes.inspect(code)
    assert (seen.disputed_at, seen.verified_at is None, seen.role) == (None, False, "shareholder")
    assert [each.state for each in (await office.file(file.case.id)).verifications.values()] == [
        VerificationState.ACTIVE
    ]
    first = await office.disputes.report(code)
    entries = (await office.file(file.case.id)).entries
    assert await office.disputes.report(code) == first
    assert (await office.file(file.case.id)).entries == entries
    assert len(await reported(office, file.case.id)) == 1


async def test_a_report_also_closes_links_and_running_sessions(office: Office) -> None:
    file, (subject,) = await office.case()
    code = (await office.disputes.issue(office.client, file.case.id, subject)).code
    invite = await office.invite(file, subject)
    await office.agree(invite)
    grant = await office.invites.exchange(invite)
    opened = await office.sessions.open(grant.secret)
    await office.disputes.report(code)
    with pytest.raises(Gone):
        await office.sessions.claim(opened.session_id, opened.secret)
    await office.verify(file, subject)


async def test_others_are_left_alone(office: Office) -> None:
    file, (one, other) = await office.case(2)
    await office.verify(file, one, other)
    await office.disputes.report((await office.disputes.issue(office.client, file.case.id, one)).code)
    states = {each.subject_id: each.state for each in (await office.file(file.case.id)).verifications.values()}
    assert states == {one: VerificationState.REVOKED, other: VerificationState.ACTIVE}


@pytest.mark.parametrize("spoil", [lambda code: code[:-2], lambda code: code[:-2] + "xx", lambda _: "nonsense"])
async def test_a_code_that_is_not_whole_leads_nowhere(office: Office, spoil: object) -> None:
    file, (subject,) = await office.case()
    code = (await office.disputes.issue(office.client, file.case.id, subject)).code
    for ask in (office.disputes.inspect, office.disputes.report):
        with pytest.raises(NotFound) as refused:
            await ask(spoil(code))
        assert refused.value.code == "dispute_unknown"


async def test_an_invites_code_is_no_disputes_code(office: Office) -> None:
    file, (subject,) = await office.case()
    with pytest.raises(NotFound):
        await office.disputes.report(await office.invite(file, subject))


async def test_a_code_is_good_for_ninety_days(office: Office) -> None:
    file, (subject,) = await office.case()
    code = (await office.disputes.issue(office.client, file.case.id, subject)).code
    office.store.advance(LINK_SECONDS - 5)
    await office.disputes.inspect(code)
    office.store.advance(LINK_SECONDS + 5)
    with pytest.raises(Gone) as refused:
        await office.disputes.report(code)
    assert refused.value.code == "dispute_expired"


async def test_only_the_cases_client_gets_a_code(office: Office) -> None:
    file, (subject,) = await office.case()
    other, _ = await office.clients.create("another", mode="live")
    with pytest.raises(NotFound):
        await office.disputes.issue(other, file.case.id, subject)
    with pytest.raises((NotFound, Conflict)):
        await office.disputes.issue(office.client, file.case.id, "sub_aaaaaaaaaaaaaaaa")
