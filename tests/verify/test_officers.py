"""The window is the operator's: officers record there, with the right document, and never the case's client."""

from dataclasses import replace

import pytest
from registry_office import CONVINCING, IMPOSTOR, Office, person, restate

from verify.audit import AuditEntry, verify_chain
from verify.casefile import CaseFile
from verify.errors import Refused, VerifyError
from verify.officers import InPerson, Officer
from verify.standing import Standing


@pytest.fixture
async def officer(office: Office) -> Officer:
    return (await office.officers.add("Officer 1", mode="live"))[0]


async def stated(office: Office, officer: Officer, file: CaseFile, subject: str, **changes: object) -> InPerson:
    view = await office.window.inspect(officer, file.case.id, subject)
    known = person(0)
    given = InPerson(reason="referred", document=known.document, intent_sha256=view.intent_sha256)
    return replace(given, **changes)


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def last_entry(office: Office, file: CaseFile) -> AuditEntry:
    head = (await office.file(file.case.id)).head
    return verify_chain(await office.store.audit(file.case.id), expected_head=head)[-1]


async def test_who_was_at_the_window_is_verified_and_can_be_redeemed(office: Office, officer: Officer) -> None:
    file, (subject,) = await office.case()
    made = await office.window.record(officer, file.case.id, subject, await stated(office, officer, file, subject))
    assert (made.method, made.capture, made.policy) == ("in_person", "window", "window")
    entry = await last_entry(office, file)
    assert (entry.event, entry.actor) == ("verification.in_person", f"officer:{officer.id}")
    assert entry.details["reason"] == "referred"
    receipt = await office.redemptions.redeem(office.client, await office.mint(file, subject), restate(file, subject))
    assert (receipt.claims["method"], receipt.claims["capture"]) == ("in_person", "window")


async def test_whom_the_machine_rejected_can_go_to_the_window(office: Office, officer: Officer) -> None:
    file, (rejected,) = await office.case()
    await office.sessions.finish(await office.claim(file, rejected), IMPOSTOR)
    await office.window.record(officer, file.case.id, rejected, await stated(office, officer, file, rejected))
    view = await office.cases.get(office.client, file.case.id)
    assert view.standings[rejected] is Standing.VERIFIED


async def test_another_persons_document_is_refused_and_leaves_its_trace(office: Office, officer: Officer) -> None:
    file, (subject,) = await office.case()
    other = await stated(office, officer, file, subject, document=person(1).document)
    assert await refusal(office.window.record(officer, file.case.id, subject, other)) == "identity_mismatch"
    entry = await last_entry(office, file)
    assert (entry.event, entry.actor) == ("window.mismatch", f"officer:{officer.id}")
    assert (await office.file(file.case.id)).verifications == {}


async def test_another_intent_is_refused(office: Office, officer: Officer) -> None:
    file, (subject,) = await office.case()
    other = await stated(office, officer, file, subject, intent_sha256="0" * 64)
    assert await refusal(office.window.record(officer, file.case.id, subject, other)) == "consent_mismatch"


async def test_who_is_verified_needs_no_window(office: Office, officer: Officer) -> None:
    file, (subject,) = await office.case()
    given = await stated(office, officer, file, subject)
    await office.sessions.finish(await office.claim(file, subject), CONVINCING)
    assert await refusal(office.window.record(officer, file.case.id, subject, given)) == "already_verified"


async def test_a_closed_case_takes_nobody(office: Office, officer: Officer) -> None:
    file, (subject,) = await office.case()
    given = await stated(office, officer, file, subject)
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    assert await refusal(office.window.record(officer, file.case.id, subject, given)) == "case_not_open"
    assert await refusal(office.window.inspect(officer, file.case.id, subject)) == "case_not_open"


async def test_who_was_erased_is_not_recorded(office: Office, officer: Officer) -> None:
    file, (subject,) = await office.case()
    given = await stated(office, officer, file, subject)
    await office.erasures.erase_subject(file.case.id, subject, actor="operator")
    assert await refusal(office.window.record(officer, file.case.id, subject, given)) == "content_erased"


async def test_an_officer_of_test_mode_sees_no_live_case(office: Office) -> None:
    tester, _ = await office.officers.add("Tester", mode="test")
    file, (subject,) = await office.case()
    assert await refusal(office.window.inspect(tester, file.case.id, subject)) == "case_unknown"


@pytest.mark.parametrize(("case", "subject"), [("nonsense", "x"), ("case_aaaaaaaaaaaaaaaa", "x"), (None, "sub_other")])
async def test_whom_nobody_knows_is_unknown(office: Office, officer: Officer, case: str | None, subject: str) -> None:
    file, _ = await office.case()
    code = await refusal(office.window.inspect(officer, case or file.case.id, subject))
    assert code == ("subject_unknown" if case is None else "case_unknown")


async def test_keys_of_clients_are_no_officers_and_the_other_way_round(office: Office) -> None:
    _, secret = await office.officers.add("Officer 2", mode="live")
    assert secret.startswith("hk_officer_")
    with pytest.raises(Refused):
        await office.officers.authenticate(office.api_key)
    with pytest.raises(Refused):
        await office.clients.authenticate(secret)


async def test_a_revoked_officer_is_none(office: Office) -> None:
    officer, secret = await office.officers.add("Officer 3", mode="live")
    assert await office.officers.authenticate(secret) == officer
    await office.officers.revoke(officer.id)
    assert await refusal(office.officers.authenticate(secret)) == "api_key_invalid"
    assert [each.revoked for each in await office.officers.list()] == [True]
    assert await refusal(office.officers.revoke("off_none")) == "officer_unknown"


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "line\nbreak"])
async def test_a_name_that_is_none_is_named(office: Office, name: str) -> None:
    assert await refusal(office.officers.add(name, mode="live")) == "officer_name_invalid"


async def test_only_the_hash_of_a_key_is_kept(office: Office) -> None:
    _, secret = await office.officers.add("Officer 4", mode="live")
    stored = await office.store.records("officers")
    assert secret not in str(stored)
