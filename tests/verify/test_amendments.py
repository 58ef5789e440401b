"""Changes of an open case: each revokes exactly what it touches."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from registry_office import CONVINCING, CREDIT_CODE, VOTE, Office, agreement, holding, person, photo, resident, restate

from verify.amendments import CaseChanges
from verify.audit import verify_chain
from verify.casefile import CaseFile, CaseState, Details, InviteState, Money, Rule
from verify.cases import CaseView
from verify.errors import Conflict, Gone, VerifyError
from verify.standing import Standing
from verify.statements import intent_sha256

OTHER_DOCUMENT = "0" * 64


async def refusal(work: Awaitable[object]) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def verified_pair(office: Office, **changes: object) -> tuple[CaseFile, str, str]:
    """A case of two people who have both verified."""
    file, (first, second) = await office.case(2, **changes)
    await office.verify(file, first, second)
    return await office.file(file.case.id), first, second


def standings(view: CaseView) -> list[Standing]:
    return list(view.standings.values())


PENDING, VERIFIED = Standing.PENDING, Standing.VERIFIED

OWN_FIELDS = {
    "name": {"name": "李四"},
    "id": {"document": resident(7), "photo": photo((1, 2, 9)), "provenance": "authority"},
    "role": {"role": "director"},
    "share": {"share_percent": "12.5"},
    "photo": {"photo": photo((9, 9, 9)), "provenance": "authority"},
}


@pytest.mark.parametrize("changed", OWN_FIELDS)
async def test_a_persons_own_fields_touch_that_person_alone(office: Office, changed: str) -> None:
    file, first, second = await verified_pair(office)
    tokens = [await office.mint(file, key) for key in (first, second)]
    fields = {"photo": None, "provenance": None, **OWN_FIELDS[changed]}
    view = await office.amendments.replace(office.client, file.case.id, second, person(1, **fields))
    assert standings(view) == [VERIFIED, PENDING]
    assert view.file.case.roster_version == 2
    assert await refusal(office.redemptions.redeem(office.client, tokens[1], restate(file, second))) == (
        "verification_revoked"
    )
    assert await office.redemptions.redeem(office.client, tokens[0], restate(file, first))


async def test_what_is_as_it_was_touches_nobody(office: Office) -> None:
    file, first, _ = await verified_pair(office)
    same = person(0, photo=None, provenance=None)
    view = await office.amendments.replace(office.client, file.case.id, first, same)
    assert standings(view) == [VERIFIED, VERIFIED]
    unchanged = CaseChanges(document_sha256=file.case.document_sha256, external_id=None, metadata={})
    view = await office.amendments.change(office.client, file.case.id, unchanged)
    assert (view.file.case.roster_version, view.file.head) == (1, file.head)


@pytest.mark.parametrize(
    "changes",
    [
        CaseChanges(document_sha256=OTHER_DOCUMENT),
        CaseChanges(details=Details(company_name="别的公司")),
        CaseChanges(details=Details(registered_capital=Money(amount="7", currency="CNY"))),
    ],
)
async def test_document_and_details_touch_everybody(office: Office, changes: CaseChanges) -> None:
    file, first, _ = await verified_pair(office)
    token = await office.mint(file, first)
    view = await office.amendments.change(office.client, file.case.id, changes)
    assert standings(view) == [PENDING, PENDING]
    assert view.file.case.roster_version == 2
    assert (
        await refusal(office.redemptions.redeem(office.client, token, restate(file, first))) == "verification_revoked"
    )
    await office.verify(view.file, first)
    minted = await office.mint(view.file, first)
    assert await office.redemptions.redeem(office.client, minted, restate(view.file, first))


async def test_what_is_the_clients_alone_touches_nobody(office: Office) -> None:
    file, _, _ = await verified_pair(office, external_id="2026-1")
    deadline = datetime.fromtimestamp(int(file.case.deadline) - 86400, UTC)
    changes = CaseChanges(external_id="2026-2", metadata={"window": "3"}, deadline=deadline)
    view = await office.amendments.change(office.client, file.case.id, changes)
    case = view.file.case
    assert (case.external_id, case.metadata, case.deadline) == ("2026-2", {"window": "3"}, deadline.timestamp())
    assert (standings(view), case.roster_version) == ([VERIFIED, VERIFIED], 1)
    cleared = await office.amendments.change(office.client, file.case.id, CaseChanges(external_id=None))
    assert cleared.file.case.external_id is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (CaseChanges(deadline=datetime(2020, 1, 1, tzinfo=UTC)), "deadline_invalid"),
        (CaseChanges(deadline=datetime(2030, 1, 1)), "deadline_invalid"),  # noqa: DTZ001 - the missing zone is tested
        (CaseChanges(details=Details(company_name="a\nb")), "text_invalid"),
        (CaseChanges(details=Details(registered_capital=Money(amount="-1", currency="CNY"))), "amount_invalid"),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(office: Office, changes: CaseChanges, code: str) -> None:
    file, _, _ = await verified_pair(office)
    assert await refusal(office.amendments.change(office.client, file.case.id, changes)) == code
    assert await office.file(file.case.id) == file


async def test_a_newcomer_touches_nobody_and_must_verify(office: Office) -> None:
    file, first, second = await verified_pair(office)
    view = await office.amendments.add(office.client, file.case.id, person(2))
    assert standings(view) == [VERIFIED, VERIFIED, PENDING]
    tokens = [(await office.mint(view.file, key), restate(view.file, key)) for key in (first, second)]
    assert await refusal(office.redemptions.redeem_case(office.client, file.case.id, tuple(tokens))) == "rule_not_met"
    *_, newcomer = view.file.roster
    await office.verify(view.file, newcomer)
    tokens.append((await office.mint(view.file, newcomer), restate(view.file, newcomer)))
    assert len(await office.redemptions.redeem_case(office.client, file.case.id, tuple(tokens))) == 3


async def test_a_whole_case_is_redeemed_by_its_present_roster_alone(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    file, people = await office.case(2, action=VOTE.name, rule=Rule(kind="k_of_n", k=2))
    await office.verify(file, *people)
    before = tuple([(await office.mint(file, key), restate(file, key)) for key in people])
    view = await office.amendments.add(office.client, file.case.id, person(2))
    assert await refusal(office.redemptions.redeem_case(office.client, file.case.id, before)) == "token_cancelled"
    now = tuple([(await office.mint(file, key), restate(view.file, key)) for key in people])
    assert len(await office.redemptions.redeem_case(office.client, file.case.id, now)) == 2


def gone_sessions(file: CaseFile, subject: str) -> list[str]:
    return [session.id for session in file.sessions.values() if session.subject_id == subject]


async def test_who_is_removed_leaves_no_personal_data(office: Office) -> None:
    file, first, second = await verified_pair(office)
    token = await office.mint(file, second)
    view = await office.amendments.remove(office.client, file.case.id, second)
    assert list(view.standings) == [first]
    gone = (await office.file(file.case.id)).subjects[second]
    assert (gone.name_masked, gone.name_sealed, gone.id_masked, gone.id_hash) == ("", b"", "", "")
    assert await office.store.blob(file.case.id, f"reference:{second}") is None
    assert [await office.store.blob(file.case.id, f"evidence:{key}") for key in gone_sessions(file, second)] == [None]
    assert [office.keys.vault.is_erased(file.case.id, each) for each in (first, second)] == [False, True]
    assert (
        await refusal(office.redemptions.redeem(office.client, token, restate(file, second))) == "verification_revoked"
    )
    assert await refusal(office.invites.issue(office.client, file.case.id, second)) == "subject_unknown"
    assert await refusal(office.tokens.mint(office.client, file.case.id, second)) == "subject_unknown"
    assert await refusal(office.amendments.remove(office.client, file.case.id, second)) == "subject_unknown"


async def test_removing_the_last_who_was_missing_completes_the_case(office: Office) -> None:
    file, (first, second) = await office.case(2)
    token = await office.verified_token(file, first)
    await office.redemptions.redeem(office.client, token, restate(file, first))
    view = await office.amendments.remove(office.client, file.case.id, second)
    assert (view.state, view.reason) == (CaseState.COMPLETED, "rule_met")


async def test_nobody_who_is_redeemed_can_be_touched(office: Office) -> None:
    file, (first, _) = await office.case(2)
    token = await office.verified_token(file, first)
    await office.redemptions.redeem(office.client, token, restate(file, first))
    amendments, case_id = office.amendments, file.case.id
    works = (
        amendments.remove(office.client, case_id, first),
        amendments.replace(office.client, case_id, first, person(0, name="李四")),
        amendments.change(office.client, case_id, CaseChanges(document_sha256=OTHER_DOCUMENT)),
    )
    assert [await refusal(work) for work in works] == ["already_redeemed"] * 3


@pytest.mark.parametrize(
    ("amend", "code"),
    [
        (lambda office, file, key: office.amendments.remove(office.client, file, key), "roster_invalid"),
        (
            lambda office, file, key: office.amendments.replace(office.client, file, key, person(role="director")),
            "required_role_missing",
        ),
        (
            lambda office, file, key: office.amendments.replace(
                office.client, file, key, person(3, photo=None, provenance=None)
            ),
            "reference_missing",
        ),
        (
            lambda office, file, key: office.amendments.replace(
                office.client, file, key, person(provenance="client_upload")
            ),
            "reference_provenance_insufficient",
        ),
        (lambda office, file, _: office.amendments.add(office.client, file, person()), "roster_invalid"),
        (lambda office, file, _: office.amendments.add(office.client, file, person(2, role="king")), "roster_invalid"),
        (
            lambda office, file, _: office.amendments.add(office.client, file, person(2, signs_for=CREDIT_CODE)),
            "roster_invalid",
        ),
        (lambda office, file, _: office.amendments.replace(office.client, file, "sub_x", person()), "subject_unknown"),
        (lambda office, file, key: office.amendments.replace(office.client, file, key, holding()), "subject_unknown"),
    ],
)
async def test_a_roster_that_cannot_be_is_refused(
    office: Office, amend: Callable[[Office, str, str], Awaitable[object]], code: str
) -> None:
    file, (subject,) = await office.case()
    assert await refusal(amend(office, file.case.id, subject)) == code
    assert await office.file(file.case.id) == file


async def test_a_rule_must_hold_for_the_new_roster(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    file, (first, *_) = await office.case(2, action=VOTE.name, rule=Rule(kind="k_of_n", k=2))
    assert await refusal(office.amendments.remove(office.client, file.case.id, first)) == "rule_invalid"


async def test_an_organisation_comes_changes_and_goes_with_who_signs_for_it(office: Office) -> None:
    file, (own,) = await office.case()
    amendments, case_id = office.amendments, file.case.id
    await amendments.add(office.client, case_id, holding())
    view = await amendments.add(office.client, case_id, person(1, signs_for=CREDIT_CODE))
    (organisation,), (_, signing) = view.file.legal_persons, view.file.roster
    await office.verify(view.file, own, signing)
    renamed = holding(name="改名投资有限公司", share_percent="10")
    view = await amendments.replace(office.client, case_id, organisation, renamed)
    assert standings(view) == [VERIFIED, PENDING]
    assert view.file.roster[signing].on_behalf_of.name == "改名投资有限公司"
    assert standings(await amendments.replace(office.client, case_id, organisation, renamed)) == [VERIFIED, PENDING]
    view = await amendments.remove(office.client, case_id, organisation)
    assert (list(view.file.roster), dict(view.file.legal_persons)) == ([own], {})


async def test_a_case_is_not_complete_while_nobody_signs_for_an_organisation(office: Office) -> None:
    file, (own,) = await office.case()
    view = await office.amendments.add(office.client, file.case.id, holding())
    token = await office.verified_token(view.file, own)
    await office.redemptions.redeem(office.client, token, restate(view.file, own))
    assert (await office.cases.get(office.client, file.case.id)).state is CaseState.OPEN


async def test_who_declined_can_be_asked_again_with_another_photo(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.invites.consent(code, agreement(await office.invites.inspect(code), agreed=False))
    assert await refusal(office.invites.issue(office.client, file.case.id, subject)) == "reference_gone"
    view = await office.amendments.replace(office.client, file.case.id, subject, person())
    await office.verify(view.file, subject)
    assert standings(await office.cases.get(office.client, file.case.id)) == [VERIFIED]


async def test_links_grants_and_sessions_end_with_what_was_confirmed(office: Office) -> None:
    file, people = await office.case(3)
    code = await office.invite(file, people[0])
    grant = await office.grant(file, people[1])
    claim = await office.claim(file, people[2])
    await office.amendments.change(office.client, file.case.id, CaseChanges(document_sha256=OTHER_DOCUMENT))
    assert await refusal(office.invites.inspect(code)) == "invite_revoked"
    assert await refusal(office.sessions.open(grant.secret)) == "grant_invalid"
    assert await refusal(office.sessions.finish(claim, CONVINCING)) == "invite_revoked"
    after = await office.file(file.case.id)
    assert {invite.state for invite in after.invites.values()} == {InviteState.REVOKED}


async def test_a_session_that_is_open_cannot_be_claimed_after_a_change(office: Office) -> None:
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)
    await office.amendments.change(office.client, file.case.id, CaseChanges(document_sha256=OTHER_DOCUMENT))
    assert await refusal(office.sessions.claim(opened.session_id, opened.secret)) == "invite_revoked"


async def test_nobody_is_verified_for_what_changed_while_they_were_in_front_of_the_camera(office: Office) -> None:
    file, people = await office.case(8)
    claims = [await office.claim(file, subject) for subject in people]
    finishing = [office.sessions.finish(claim, CONVINCING) for claim in claims]
    change = office.amendments.change(office.client, file.case.id, CaseChanges(document_sha256=OTHER_DOCUMENT))
    ended = await asyncio.gather(*finishing[:4], change, *finishing[4:], return_exceptions=True)
    assert all(not isinstance(each, BaseException) or isinstance(each, Gone | Conflict) for each in ended)
    view = await office.cases.get(office.client, file.case.id)
    assert set(standings(view)) == {PENDING}


async def test_no_change_after_the_end(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    amendments, case_id = office.amendments, file.case.id
    works = (
        amendments.add(office.client, case_id, person(1)),
        amendments.replace(office.client, case_id, subject, person(0, name="李四")),
        amendments.remove(office.client, case_id, subject),
        amendments.change(office.client, case_id, CaseChanges(metadata={"a": "b"})),
    )
    assert [await refusal(work) for work in works] == ["case_not_open"] * 4


async def test_another_client_changes_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    stranger = replace(office.client, id="cli_x")
    works = (
        office.amendments.add(stranger, file.case.id, person(1)),
        office.amendments.remove(stranger, file.case.id, subject),
        office.amendments.change(stranger, file.case.id, CaseChanges(external_id="mine")),
    )
    assert [await refusal(work) for work in works] == ["case_unknown"] * 3


async def test_every_change_is_in_the_audit_with_what_it_revoked(office: Office) -> None:
    file, first, second = await verified_pair(office)
    amendments, case_id = office.amendments, file.case.id
    await amendments.replace(office.client, case_id, second, person(1, name="李四"))
    await amendments.add(office.client, case_id, person(2))
    await amendments.remove(office.client, case_id, second)
    await amendments.change(office.client, case_id, CaseChanges(document_sha256=OTHER_DOCUMENT, metadata={"a": "b"}))
    after = await office.file(case_id)
    trail = verify_chain(await office.store.audit(case_id), expected_head=after.head)[-4:]
    names = ["subject.replaced", "subject.added", "subject.removed", "case.changed"]
    assert [entry.event for entry in trail] == names
    verifications = {each.subject_id: each.id for each in file.verifications.values()}
    assert [entry.details["revoked"] for entry in trail] == [(verifications[second],), (), (), (verifications[first],)]
    assert trail[-1].details["fields"] == ("document_sha256", "metadata")


async def test_a_case_is_found_by_the_clients_own_number(office: Office) -> None:
    older, _ = await office.case(external_id="2026-1")
    newer, _ = await office.case(external_id="2026-1")
    await office.case(external_id="2026-2")
    found = await office.cases.find(office.client, "2026-1")
    assert [view.file.case.id for view in found] == [newer.case.id, older.case.id]
    assert await office.cases.find(replace(office.client, id="cli_x"), "2026-1") == ()
    assert await office.cases.find(office.client, "2026-") == ()


async def test_a_case_is_found_by_the_number_that_it_carries_now(office: Office) -> None:
    file, _ = await office.case(external_id="old")
    for number in ("new", "old", "new"):
        await office.amendments.change(office.client, file.case.id, CaseChanges(external_id=number))
    assert await office.cases.find(office.client, "old") == ()
    assert [view.file.case.id for view in await office.cases.find(office.client, "new")] == [file.case.id]


async def test_an_index_entry_whose_case_was_never_stored_is_passed_over(office: Office) -> None:
    name = f"{office.client.id}:2026-1"
    await office.store.index("external", name, "case_aaaaaaaaaaaaaaaa", at=1.0)
    assert await office.cases.find(office.client, "2026-1") == ()


async def test_through_many_changes_nobody_stays_verified_for_what_they_did_not_confirm(office: Office) -> None:
    """And nobody loses a verification of what is still as they confirmed it."""
    rng = Random(20261125)
    file, _ = await office.case(3, details=Details(company_name="示例公司"))
    for step in range(25):
        file = await office.file(file.case.id)
        unverified = [key for key, each in (await view_of(office, file)).standings.items() if each is PENDING]
        await office.verify(file, *unverified)
        before = await office.file(file.case.id)
        view = await random_change(office, before, rng, step)
        active = {each.subject_id: each for each in view.file.verifications.values() if each.state == "active"}
        for key, subject in view.file.roster.items():
            same = key in before.roster and subject == before.subjects[key]
            meant = intent_sha256(view.file.case, subject)
            confirmed = same and meant == intent_sha256(before.case, before.subjects[key])
            assert (key in active) == confirmed
            assert key not in active or active[key].intent_sha256 == meant
        assert set(active) <= set(view.file.roster)


async def view_of(office: Office, file: CaseFile) -> CaseView:
    return await office.cases.get(office.client, file.case.id)


async def random_change(office: Office, file: CaseFile, rng: Random, step: int) -> CaseView:
    amendments, client, case_id = office.amendments, office.client, file.case.id
    victim = rng.choice(sorted(file.roster))
    changes = (
        CaseChanges(document_sha256=f"{step:064x}"),
        CaseChanges(details=Details(counterparty=f"对方{step}")),
        CaseChanges(metadata={"step": str(step)}),
    )
    match rng.randrange(5):
        case 0:
            return await amendments.change(client, case_id, rng.choice(changes))
        case 1 if len(file.roster) > 2:
            return await amendments.remove(client, case_id, victim)
        case 2:
            share = f"0.{step + 1}"
            return await amendments.replace(client, case_id, victim, person(100 + step, share_percent=share))
        case 3 if not file.legal_persons:
            await amendments.add(client, case_id, holding())
            return await amendments.add(client, case_id, person(200 + step, signs_for=CREDIT_CODE))
        case 3:
            return await amendments.replace(
                client, case_id, next(iter(file.legal_persons)), holding(name=f"控股{step}")
            )
        case _:
            return await amendments.add(client, case_id, person(300 + step))
