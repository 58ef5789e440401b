import pytest
from registry_office import Office, person, photo, resident, restate

from verify.audit import verify_chain
from verify.casefile import CaseFile, CaseState, VerificationState, decode_file
from verify.disputes import LINK_SECONDS
from verify.enrolment import NewSubject
from verify.errors import Conflict, Gone, NotFound, VerifyError
from verify.former import disputed

FIRST = person(0, photo=photo((9, 9, 0)))
NEWCOMER = person(7, name="欧阳修", role="director")


async def reported(office: Office, case_id: str, kind: str = "subject.disputed") -> list[dict[str, str]]:
    return [each.data for each in await office.store.notices(case_id) if each.type == kind]


async def link(office: Office, file: CaseFile, subject: str) -> str:
    return (await office.disputes.issue(office.client, file.case.id, subject)).code


async def put(office: Office, file: CaseFile, place: str, new: NewSubject) -> None:
    await office.amendments.replace(office.client, file.case.id, place, new)


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


async def test_a_link_is_the_persons_and_not_their_places(office: Office) -> None:
    """Test of the link: whoever is put in a person's place is neither shown to them nor touched by them."""
    file, (place, _) = await office.case(2)
    await office.verify(file, place)
    code = await link(office, file, place)
    before = await office.disputes.inspect(code)
    await put(office, file, place, NEWCOMER)
    assert await office.disputes.inspect(code) == before
    await office.verify(file, place)
    seen = await office.disputes.report(code)
    assert (seen.name_masked, seen.role, seen.verified_at) == ("张**", "shareholder", before.verified_at)
    after = await office.file(file.case.id)
    assert [each.state for each in after.verifications.values() if each.former is None] == [VerificationState.ACTIVE]
    assert disputed(after) == frozenset()
    token = await office.mint(file, place)
    assert await office.redemptions.redeem(office.client, token, restate(after, place))


async def test_a_former_persons_report_is_on_record_and_told_as_theirs(office: Office) -> None:
    file, (place, _) = await office.case(2)
    await office.verify(file, place)
    code = await link(office, file, place)
    await put(office, file, place, NEWCOMER)
    first = await office.disputes.report(code)
    assert first.disputed_at is not None
    assert await office.disputes.report(code) == first
    assert await reported(office, file.case.id) == []
    (told,) = await reported(office, file.case.id, "subject.former_disputed")
    assert (told["subject"], told["receipt"]) == (place, "")
    head = (await office.file(file.case.id)).head
    entry = verify_chain(await office.store.audit(file.case.id), expected_head=head)[-1]
    assert (entry.event, entry.details["person"], entry.details["revoked"]) == ("verification.disputed", "former", ())


async def test_a_newcomers_link_tells_nothing_of_whoever_was_there_before(office: Office) -> None:
    file, (place, _) = await office.case(2)
    await office.verify(file, place)
    await put(office, file, place, NEWCOMER)
    code = await link(office, file, place)
    seen = await office.disputes.inspect(code)
    assert (seen.name_masked, seen.role, seen.verified_at) == ("欧**", "director", None)
    token = await office.verified_token(await office.file(file.case.id), place)
    receipt = await office.redemptions.redeem(office.client, token, restate(await office.file(file.case.id), place))
    assert (await office.disputes.report(code)).verified_at is not None
    assert [told["receipt"] for told in await reported(office, file.case.id)] == [receipt.id]


async def test_a_receipt_is_named_to_its_own_person_alone(office: Office) -> None:
    file, (place, _) = await office.case(2)
    code = await link(office, file, place)
    await put(office, file, place, NEWCOMER)
    now = await office.file(file.case.id)
    await office.redemptions.redeem(office.client, await office.verified_token(now, place), restate(now, place))
    assert (await office.disputes.report(code)).verified_at is None
    assert [told["receipt"] for told in await reported(office, file.case.id, "subject.former_disputed")] == [""]


async def test_a_report_leaves_no_mark_on_whoever_comes_next(office: Office) -> None:
    file, (place, _) = await office.case(2)
    await office.disputes.report(await link(office, file, place))
    assert disputed(await office.file(file.case.id)) == {place}
    await put(office, file, place, NEWCOMER)
    assert disputed(await office.file(file.case.id)) == frozenset()


async def test_whoever_comes_back_is_the_person_of_their_link_again(office: Office) -> None:
    """Test of the bond: putting somebody else there for a moment takes no person's right to object."""
    file, (place, _) = await office.case(2)
    code = await link(office, file, place)
    await put(office, file, place, NEWCOMER)
    await put(office, file, place, FIRST)
    await office.verify(await office.file(file.case.id), place)
    assert (await office.disputes.inspect(code)).verified_at is not None
    await office.disputes.report(code)
    after = await office.file(file.case.id)
    assert [each.state for each in after.verifications.values()] == [VerificationState.REVOKED]
    assert disputed(after) == {place}


async def test_another_name_or_photo_of_the_same_person_changes_nothing_about_the_link(office: Office) -> None:
    file, (place, _) = await office.case(2)
    code = await link(office, file, place)
    same = person(0, name="张三", document=resident(0), photo=photo((7, 7, 7)))
    await office.amendments.replace(office.client, file.case.id, place, same)
    await office.verify(file, place)
    await office.disputes.report(code)
    after = await office.file(file.case.id)
    assert [each.state for each in after.verifications.values()] == [VerificationState.REVOKED]
    assert disputed(after) == {place}


async def test_links_and_verifications_of_the_earlier_form_are_bound_once_another_person_comes(office: Office) -> None:
    file, (place, _) = await office.case(2)
    await office.verify(file, place)
    code = await link(office, file, place)
    await as_stored_before(office, file.case.id)
    await put(office, file, place, NEWCOMER)
    assert (await office.disputes.report(code)).name_masked == "张**"
    assert disputed(await office.file(file.case.id)) == frozenset()


async def as_stored_before(office: Office, case_id: str) -> None:
    """Write links and verifications as a version wrote them that knew nothing of former people."""
    ask, key = office.store._connection.ask, office.store._file(case_id)
    stored = {name.decode(): content for name, content in (await ask("HGETALL", key)).items()}
    earlier = {
        name: content.replace(b',"former":null', b"")
        for name, content in stored.items()
        if name.startswith(("dispute_link:", "verification:"))
    }
    assert all(content != stored[name] for name, content in earlier.items())
    for name, content in earlier.items():
        await ask("HSET", key, name, content)
    office.store._remembered.clear()
    assert decode_file({**stored, **earlier}) == await office.file(case_id)
