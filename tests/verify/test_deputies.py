"""Deputies stand for a principal only while their appointment holds."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from registry_office import CONVINCING, CREDIT_CODE, Office, holding, person, resident, restate

from verify.casefile import CaseFile
from verify.deputies import Appointment, Identity, NewAppointment
from verify.errors import VerifyError
from verify.identity_documents import IdentityDocument
from verify.officers import InPerson
from verify.statements import intent_statement

NOW = datetime.now(UTC)
DEPUTY, PRINCIPAL = 1, 2


async def refusal(work: Awaitable[object]) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


def appointment(**changes: object) -> NewAppointment:
    fields = {
        "deputy": Identity(name="李四", document=resident(DEPUTY)),
        "principal": Identity(name="王五", document=resident(PRINCIPAL)),
        "actions": ("capital.increase", "share.transfer"),
        "valid_from": NOW - timedelta(days=1),
        "valid_until": NOW + timedelta(days=10),
    }
    return NewAppointment(**{**fields, **changes})


async def appointed(office: Office, **changes: object) -> Appointment:
    return await office.cases.deputies.appoint(office.client, appointment(**changes))


async def deputed(office: Office, **changes: object) -> tuple[CaseFile, str, Appointment]:
    """A case on which a deputy stands for the principal."""
    found = await appointed(office, **changes)
    file, (subject,) = await office.case(subjects=(person(DEPUTY, appointment=found.id, share_percent="30"),))
    return file, subject, found


async def test_statement_token_and_receipt_say_for_whom(office: Office) -> None:
    file, subject, found = await deputed(office)
    statement = intent_statement(file.case, file.subjects[subject])
    assert statement.zh.startswith(f"我受股东王*委托（授权编号 {found.id}），")
    assert "委托人真实意愿" in statement.zh
    assert statement.en.startswith(f"On behalf of shareholder 王* (appointment {found.id}) I confirm the principal's")
    token = await office.verified_token(file, subject)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert receipt.claims["on_behalf_of"] == f"deputy:{found.id}"


async def test_an_appointment_keeps_nothing_readable(office: Office) -> None:
    found = await appointed(office)
    stored = str(await office.store.records(f"deputies:{office.client.id}"))
    for readable in ("李四", "王五", resident(DEPUTY).number, resident(PRINCIPAL).number):
        assert readable not in stored
    assert await office.cases.deputies.get(office.client, found.id) == found


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actions": ()}, "appointment_invalid"),
        ({"actions": ("company.explode",)}, "action_unknown"),
        ({"valid_until": NOW - timedelta(seconds=1)}, "appointment_invalid"),
        ({"valid_from": NOW + timedelta(days=20)}, "appointment_invalid"),
        ({"valid_until": NOW + timedelta(days=3000)}, "appointment_invalid"),
        ({"valid_until": datetime(2030, 1, 1)}, "appointment_invalid"),  # noqa: DTZ001 - the missing zone is tested
        ({"principal": Identity(name="李四", document=resident(DEPUTY))}, "appointment_invalid"),
        ({"deputy": Identity(name="李\n四", document=resident(DEPUTY))}, "text_invalid"),
        ({"deputy": Identity(name="李四", document=replace(resident(), number="1"))}, "id_document_invalid"),
    ],
)
async def test_an_appointment_that_cannot_be_is_refused(office: Office, changes: dict[str, object], code: str) -> None:
    assert await refusal(appointed(office, **changes)) == code


async def test_another_client_neither_sees_nor_revokes_nor_uses_it(office: Office) -> None:
    found = await appointed(office)
    stranger = replace(office.client, id="cli_x")
    assert await refusal(office.cases.deputies.get(stranger, found.id)) == "appointment_unknown"
    assert await refusal(office.cases.deputies.revoke(stranger, found.id)) == "appointment_unknown"
    other, _ = await office.clients.create("window 2", mode="live")
    there = replace(office, client=other)
    assert await refusal(there.case(subjects=(person(DEPUTY, appointment=found.id),))) == "appointment_unknown"


@pytest.mark.parametrize(
    ("deputy", "changes", "case", "code"),
    [
        (3, {}, {}, "deputy_not_appointed"),
        (PRINCIPAL, {}, {}, "deputy_not_appointed"),
        (DEPUTY, {"actions": ("share.transfer",)}, {}, "deputy_not_appointed"),
        (DEPUTY, {"valid_from": NOW + timedelta(days=1)}, {}, "deputy_not_appointed"),
        (DEPUTY, {}, {"organisations": (holding(),)}, "roster_invalid"),
    ],
    ids=["another person", "the principal", "another action", "not begun", "nobody signs"],
)
async def test_who_is_not_appointed_gets_on_no_roster(
    office: Office, deputy: int, changes: dict[str, object], case: dict[str, object], code: str
) -> None:
    found = await appointed(office, **changes)
    assert await refusal(office.case(subjects=(person(deputy, appointment=found.id),), **case)) == code


async def test_nobody_stands_for_two_kinds_of_others_or_beside_their_deputy(office: Office) -> None:
    found = await appointed(office)
    both = person(DEPUTY, appointment=found.id, signs_for=CREDIT_CODE)
    assert await refusal(office.case(subjects=(both,), organisations=(holding(),))) == "roster_invalid"
    deputy = person(DEPUTY, appointment=found.id)
    assert await refusal(office.case(subjects=(deputy, person(PRINCIPAL)))) == "roster_invalid"
    assert await office.case(subjects=(deputy, person(DEPUTY)))


@pytest.mark.parametrize("end", ["revoked", "over"])
async def test_every_step_is_refused_once_the_appointment_does_not_hold(office: Office, end: str) -> None:
    file, subject, found = await deputed(office)
    claim = await office.claim(file, subject)
    await end_of(office, found, end)
    assert await refusal(office.invites.issue(office.client, file.case.id, subject)) == "deputy_not_appointed"
    if end == "revoked":  # a session does not last until an appointment is over by itself
        assert await refusal(office.sessions.finish(claim, CONVINCING)) == "deputy_not_appointed"
    late = person(DEPUTY, appointment=found.id, role="legal_representative")
    assert await refusal(office.amendments.add(office.client, file.case.id, late)) == "deputy_not_appointed"


@pytest.mark.parametrize("end", ["revoked", "over"])
async def test_what_a_deputy_has_verified_is_worth_nothing_afterwards(office: Office, end: str) -> None:
    file, subject, found = await deputed(office)
    token = await office.verified_token(file, subject)
    await end_of(office, found, end)
    assert await refusal(office.tokens.mint(office.client, file.case.id, subject)) == "deputy_not_appointed"
    refused = await refusal(office.redemptions.redeem(office.client, token, restate(file, subject)))
    assert refused == ("deputy_not_appointed" if end == "revoked" else "token_expired")
    assert (await office.file(file.case.id)).receipts == {}


async def test_a_verification_does_not_outlive_the_appointment(office: Office) -> None:
    file, subject, found = await deputed(office)
    await office.verify(file, subject)
    (verification,) = (await office.file(file.case.id)).verifications.values()
    assert verification.valid_until == found.valid_until


async def test_others_of_the_case_go_on(office: Office) -> None:
    found = await appointed(office)
    file, (deputy, own) = await office.case(subjects=(person(DEPUTY, appointment=found.id), person(3)))
    await office.verify(file, deputy, own)
    await office.cases.deputies.revoke(office.client, found.id)
    assert await office.redemptions.redeem(office.client, await office.mint(file, own), restate(file, own))


async def test_revoking_once_more_changes_nothing(office: Office) -> None:
    found = await appointed(office)
    first = await office.cases.deputies.revoke(office.client, found.id)
    assert first.revoked_at is not None
    assert await office.cases.deputies.revoke(office.client, found.id) == first


async def test_a_deputy_can_be_replaced_by_the_principal(office: Office) -> None:
    file, subject, found = await deputed(office)
    await office.verify(file, subject)
    await office.cases.deputies.revoke(office.client, found.id)
    view = await office.amendments.replace(office.client, file.case.id, subject, person(PRINCIPAL))
    token = await office.verified_token(view.file, subject)
    receipt = await office.redemptions.redeem(office.client, token, restate(view.file, subject))
    assert receipt.claims["on_behalf_of"] == "self"


async def end_of(office: Office, found: Appointment, end: str) -> None:
    if end == "revoked":
        await office.cases.deputies.revoke(office.client, found.id)
    else:
        office.store.stop_at(found.valid_until)


async def test_a_deputy_at_the_window_stands_for_the_principal_while_the_appointment_holds(office: Office) -> None:
    file, subject, found = await deputed(office)
    officer, _ = await office.officers.add("Officer 1", mode="live")
    intent = (await office.window.inspect(officer, file.case.id, subject)).intent_sha256
    given = InPerson(reason="no_device", document=resident(DEPUTY), intent_sha256=intent)
    made = await office.window.record(officer, file.case.id, subject, given)
    assert made.valid_until == found.valid_until
    token = await office.mint(file, subject)
    assert await office.redemptions.introspect(office.client, token) is not None
    await office.cases.deputies.revoke(office.client, found.id)
    assert await office.redemptions.introspect(office.client, token) is None
    assert await refusal(office.window.record(officer, file.case.id, subject, given)) == "deputy_not_appointed"


def traveller(state: str | None) -> IdentityDocument:
    return IdentityDocument(type="passport", number="E12345678", issuing_state=state)


@pytest.mark.parametrize(("appointed_with", "comes_with"), [(None, "CHN"), ("CHN", None)])
async def test_nobody_stands_beside_their_deputy_by_leaving_out_who_issued_their_passport(
    office: Office, appointed_with: str | None, comes_with: str | None
) -> None:
    found = await appointed(office, principal=Identity(name="王五", document=traveller(appointed_with)))
    both = (person(DEPUTY, appointment=found.id), person(document=traveller(comes_with)))
    with pytest.raises(
        VerifyError, match=r"the principal of person 1 .*person 2|person 2 .*the principal of"
    ) as caught:
        await office.case(subjects=both)
    assert caught.value.code == "passport_state_missing"
    assert (
        await refusal(office.case(subjects=(both[0], person(document=traveller(appointed_with))))) == "roster_invalid"
    )


@pytest.mark.parametrize(("deputy", "principal"), [(None, "CHN"), ("CHN", None)])
async def test_nobody_is_their_own_deputy_by_leaving_out_who_issued_their_passport(
    office: Office, deputy: str | None, principal: str | None
) -> None:
    names = {"deputy": deputy, "principal": principal}
    people = {each: Identity(name="李四", document=traveller(state)) for each, state in names.items()}
    assert await refusal(appointed(office, **people)) == "passport_state_missing"
    told_apart = {**people, "deputy": Identity(name="李四", document=traveller("UTO"))}
    told_apart["principal"] = Identity(name="王五", document=traveller("CHN"))
    assert await appointed(office, **told_apart)


async def test_erasing_a_deputy_erases_whom_they_stand_for(office: Office) -> None:
    file, subject, found = await deputed(office, principal=Identity(name="王五", document=traveller("CHN")))
    before = file.subjects[subject].on_behalf_of
    assert before is not None
    assert before.principal_stateless_hash
    await office.erasures.erase_subject(file.case.id, subject, actor="operator")
    behalf = (await office.file(file.case.id)).subjects[subject].on_behalf_of
    assert behalf is not None
    assert (behalf.id, behalf.name, behalf.principal_hash) == (found.id, "", None)
    assert behalf.principal_stateless_hash == ""
