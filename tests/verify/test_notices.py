from dataclasses import replace

import msgspec
import pytest
from registry_office import (
    CONVINCING,
    FACELESS,
    IMPOSTOR,
    INTERRUPTED,
    Office,
    agreement,
    person,
    photo,
    restate,
)

from liveness.report import Status
from verify.amendments import CaseChanges
from verify.casefile import Rule
from verify.errors import VerifyError
from verify.notices import CATALOGUE, Notice

UNCLEAR = replace(
    CONVINCING,
    liveness=replace(
        CONVINCING.liveness, signals=(replace(CONVINCING.liveness.signals[0], status=Status.INCONCLUSIVE),)
    ),
)


async def told(office: Office, case_id: str) -> list[str]:
    return [notice.type for notice in await office.store.notices(case_id)]


async def test_the_way_to_a_redeemed_token_is_told_step_by_step(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert await told(office, file.case.id) == [
        "case.opened",
        "subject.consented",
        "subject.verified",
        "token.redeemed",
        "case.completed",
    ]


@pytest.mark.parametrize(
    ("evidence", "kinds"),
    [(IMPOSTOR, ["subject.rejected"]), (UNCLEAR, ["subject.referred"]), (INTERRUPTED, [])],
)
async def test_an_attempt_that_fails_is_told_by_its_public_code(
    office: Office, evidence: object, kinds: list[str]
) -> None:
    file, (subject,) = await office.case()
    await office.sessions.finish(await office.claim(file, subject), evidence)
    notices = (await office.store.notices(file.case.id))[2:]
    assert [notice.type for notice in notices] == kinds
    assert [notice.data["reason"] for notice in notices] == [
        {"subject.rejected": "not_verified", "subject.referred": "use_window"}[kind] for kind in kinds
    ]


async def test_declining_is_told(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.invites.consent(code, agreement(await office.invites.inspect(code), agreed=False))
    assert await told(office, file.case.id) == ["case.opened", "subject.declined"]


async def test_an_erasure_by_the_operator_is_told_once_with_what_it_revokes(office: Office) -> None:
    file, (erased, removed, _) = await office.case(3)
    await office.verify(file, erased)
    before = len(await office.store.notices(file.case.id))
    for _ in range(2):
        await office.erasures.erase_subject(file.case.id, erased, actor="operator")
    await office.amendments.remove(office.client, file.case.id, removed)
    await office.erasures.erase_case(file.case.id, actor="service", reason="retention")
    notices = (await office.store.notices(file.case.id))[before:]
    assert [(each.type, each.data["subject"]) for each in notices] == [
        ("subject.erased", erased),
        ("verification.revoked", erased),
    ]


async def test_a_photo_without_a_face_is_told_with_its_reason(office: Office) -> None:
    file, (subject,) = await office.case(subjects=(person(photo=photo(FACELESS)),))
    with pytest.raises(VerifyError):
        await office.agree(await office.invite(file, subject))
    notice = (await office.store.notices(file.case.id))[-1]
    assert (notice.type, notice.data["reason"], notice.data["subject"]) == ("reference.unusable", "face_none", subject)


async def test_cancelling_revokes_and_says_why(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    notices = await office.store.notices(file.case.id)
    assert [notice.type for notice in notices][-2:] == ["verification.revoked", "case.cancelled"]
    assert notices[-1].data["reason"] == "withdrawn"


async def test_each_verification_that_a_change_revokes_is_told(office: Office) -> None:
    file, people = await office.case(2)
    await office.verify(file, *people)
    told_before = len(await office.store.notices(file.case.id))
    changes = CaseChanges(document_sha256="0" * 64)
    after = (await office.amendments.change(office.client, file.case.id, changes)).file
    notices = (await office.store.notices(file.case.id))[told_before:]
    assert {notice.type for notice in notices} == {"verification.revoked"}
    assert {notice.data["verification"] for notice in notices} == set(after.verifications)
    entry = msgspec.json.decode((await office.store.audit(file.case.id))[-1])
    assert {notice.data["verification"] for notice in notices} == set(entry["details"]["revoked"])


async def test_removing_a_person_revokes_and_completes_in_one_step(office: Office) -> None:
    file, (first, second) = await office.case(2, rule=Rule(kind="all"))
    token = await office.verified_token(file, first)
    await office.redemptions.redeem(office.client, token, restate(file, first))
    await office.verify(file, second)
    await office.amendments.remove(office.client, file.case.id, second)
    notices = await office.store.notices(file.case.id)
    assert [notice.type for notice in notices][-2:] == ["verification.revoked", "case.completed"]
    assert (notices[-2].data["subject"], notices[-1].data["reason"]) == (second, "rule_met")


async def test_an_expired_case_is_told_once(office: Office) -> None:
    file, _ = await office.case()
    assert (await office.cases.expire(file.case.id)).value == "open"
    office.store.stop_at(file.case.deadline)
    for _ in range(2):
        assert (await office.cases.expire(file.case.id)).value == "expired"
    assert await told(office, file.case.id) == ["case.opened", "case.expired"]
    assert (await office.store.notices(file.case.id))[-1].data["reason"] == "deadline_passed"


async def test_people_who_are_redeemed_together_are_told_one_by_one(office: Office) -> None:
    file, people = await office.case(2)
    tokens = [(await office.verified_token(file, each), restate(file, each)) for each in people]
    receipts = await office.redemptions.redeem_case(office.client, file.case.id, tuple(tokens))
    redeemed = [each for each in await office.store.notices(file.case.id) if each.type == "token.redeemed"]
    assert {each.data["receipt"] for each in redeemed} == {receipt.id for receipt in receipts}
    assert len({each.id for each in redeemed}) == 2


async def test_what_is_refused_tells_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    before = await told(office, file.case.id)
    with pytest.raises(VerifyError):
        await office.redemptions.redeem(office.client, token, restate(file, subject, role="director"))
    assert await told(office, file.case.id) == before


async def test_a_notice_holds_ids_states_codes_and_times_only(office: Office) -> None:
    file, (subject,) = await office.case(external_id="张三丰's filing")
    await office.verify(file, subject)
    allowed = {"case", "case_state", "mode", "subject", "verification", "session", "receipt", "reason"}
    for notice in await office.store.notices(file.case.id):
        assert notice.type in CATALOGUE
        assert set(notice.data) <= allowed
        assert "张" not in notice.payload().decode()


def test_the_payload_is_what_the_documentation_says() -> None:
    notice = Notice(id="evt_1", type="case.opened", client="cli_1", mode="live", at=1.5, data={"case": "case_1"})
    assert msgspec.json.decode(notice.payload()) == {
        "id": "evt_1",
        "type": "case.opened",
        "timestamp": "1970-01-01T00:00:01.500Z",
        "data": {"case": "case_1"},
    }
