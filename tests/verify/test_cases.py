from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from registry_office import CONVINCING, Office, filing, open_office, person, restate

from models.errors import ImageError
from verify.amendments import CaseChanges
from verify.audit import verify_chain
from verify.casefile import CaseState, Rule
from verify.errors import VerifyError
from verify.standing import Standing


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": "company.explode"}, "action_unknown"),
        ({"subjects": ()}, "roster_invalid"),
        ({"subjects": (person(role="king"),)}, "roster_invalid"),
        ({"rule": Rule(kind="all", k=1)}, "rule_invalid"),
        ({"rule": Rule(kind="k_of_n")}, "rule_invalid"),
        ({"rule": Rule(kind="k_of_n", k=0)}, "rule_invalid"),
        ({"rule": Rule(kind="k_of_n", k=2)}, "rule_invalid"),
        ({"deadline": NOW - timedelta(seconds=1)}, "deadline_invalid"),
        ({"deadline": NOW + timedelta(days=400)}, "deadline_invalid"),
        ({"deadline": datetime(2030, 1, 1)}, "deadline_invalid"),  # noqa: DTZ001 - the missing zone is what is tested
        ({"subjects": (person(provenance="client_upload"),)}, "reference_provenance_insufficient"),
    ],
)
async def test_a_case_that_cannot_be_is_refused(office: Office, changes: dict[str, object], code: str) -> None:
    assert await refusal(office.cases.open(office.client, filing(**changes))) == code


async def test_the_operator_can_allow_uploads(office: Office, tmp_path: object) -> None:
    lenient = await open_office(office.store, tmp_path, allow_client_upload=True)
    view = await lenient.cases.open(lenient.client, filing(subjects=(person(provenance="client_upload"),)))
    assert view.state is CaseState.OPEN


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
async def test_a_photo_that_is_none_opens_nothing(office: Office, content: bytes) -> None:
    with pytest.raises(ImageError):
        await office.cases.open(office.client, filing(subjects=(person(photo=content),)))


async def test_another_client_and_another_mode_see_no_case(office: Office) -> None:
    file, _ = await office.case()
    for stranger in (replace(office.client, id="cli_x"), replace(office.client, mode="test")):
        assert await refusal(office.cases.get(stranger, file.case.id)) == "case_unknown"
        assert await refusal(office.cases.cancel(stranger, file.case.id, "mistake")) == "case_unknown"


@pytest.mark.parametrize("case_id", ["", "case_x", "case_aaaaaaaaaaaaaaaa", "../../etc", "case_{x}"])
async def test_an_unknown_case_is_unknown(office: Office, case_id: str) -> None:
    assert await refusal(office.cases.get(office.client, case_id)) == "case_unknown"


async def test_a_deadline_that_passes_closes_the_case_for_everything_and_says_so(office: Office) -> None:
    file, (first, second, third, fourth) = await office.case(4)
    token = await office.verified_token(file, first)
    code, grant = await office.invite(file, second), await office.grant(file, third)
    claim = await office.claim(file, fourth)
    opened = await office.sessions.open(grant.secret)
    office.store.stop_at(file.case.deadline)
    view = await office.cases.get(office.client, file.case.id)
    assert (view.state, view.reason) == (CaseState.EXPIRED, "deadline_passed")
    works = (
        office.invites.issue(office.client, file.case.id, second),
        office.invites.inspect(code),
        office.invites.exchange(code),
        office.sessions.open(grant.secret),
        office.sessions.claim(opened.session_id, opened.secret),
        office.sessions.finish(claim, CONVINCING),
        office.tokens.mint(office.client, file.case.id, first),
        office.redemptions.redeem(office.client, token, restate(file, first)),
        office.amendments.remove(office.client, file.case.id, second),
        office.amendments.change(office.client, file.case.id, CaseChanges(deadline=NOW + timedelta(days=60))),
        office.cases.cancel(office.client, file.case.id, "mistake"),
    )
    for work in works:
        with pytest.raises(VerifyError, match=r"expired \(deadline_passed\)") as caught:
            await work
        assert caught.value.code == "case_not_open"


async def test_a_case_ends_with_its_reason(office: Office) -> None:
    file, (subject,) = await office.case()
    assert (await office.cases.get(office.client, file.case.id)).reason is None
    token = await office.verified_token(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    view = await office.cases.get(office.client, file.case.id)
    assert (view.state, view.reason) == (CaseState.COMPLETED, "rule_met")
    office.store.stop_at(file.case.deadline)
    assert (await office.cases.get(office.client, file.case.id)).state is CaseState.COMPLETED


async def test_everybody_begins_pending(office: Office) -> None:
    file, people = await office.case(3)
    view = await office.cases.get(office.client, file.case.id)
    assert view.standings == dict.fromkeys(people, Standing.PENDING)


async def test_names_numbers_and_photos_are_not_readable_in_the_store(office: Office) -> None:
    file, (subject,) = await office.case()
    stored = str(file) + str(await office.store.blob(file.case.id, f"reference:{subject}"))
    assert "张三丰" not in stored
    assert person().document.number not in stored


async def test_every_transition_is_in_the_audit(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verified_token(file, subject)
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    after = await office.file(file.case.id)
    trail = verify_chain(await office.store.audit(file.case.id), expected_head=after.head)
    assert [entry.event for entry in trail] == [
        "case.opened",
        "invite.issued",
        "consent.given",
        "invite.exchanged",
        "session.opened",
        "session.claimed",
        "session.finished",
        "token.minted",
        "case.cancelled",
    ]
