"""The operator changes the models: templates of the earlier ones are asked for again, and nothing is used up."""

from collections.abc import Awaitable
from dataclasses import replace

import pytest
from registry_office import CONVINCING, Office, person, pretend_to_embed

from models.embedding import Embedding
from verify.casefile import InviteState, ReferenceState
from verify.errors import VerifyError
from verify.notices import notices_between
from verify.reference_contract import OUTDATED
from verify.reference_quality import Reference

TEMPLATE = ReferenceState.TEMPLATE
OTHER = "other/112/1"


async def refusal(work: Awaitable[object]) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def embed_otherwise(photo: bytes) -> Reference:
    reference = await pretend_to_embed(photo)
    return replace(reference, template=Embedding(reference.template.vector[::-1].copy(), OTHER))


def with_other_models(office: Office) -> Office:
    """The same office after a restart with another pack."""
    return replace(
        office,
        invites=replace(office.invites, embed_reference=embed_otherwise, contract=OTHER),
        sessions=replace(office.sessions, policy=replace(office.sessions.policy, contract=OTHER)),
    )


async def attempts_left(office: Office, case_id: str) -> list[int]:
    return [invite.attempts_left for invite in (await office.file(case_id)).invites.values()]


async def test_opening_a_session_says_what_to_do_and_takes_no_attempt(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    renewed = with_other_models(office)
    with pytest.raises(VerifyError, match="replace the subject's reference") as caught:
        await renewed.sessions.open(grant.secret)
    assert caught.value.code == OUTDATED == "reference_contract_mismatch"
    assert await refusal(renewed.sessions.open(grant.secret)) == OUTDATED
    after = await office.file(file.case.id)
    assert (await attempts_left(office, file.case.id), after.sessions) == ([3], {})
    assert (after.subjects[subject].reference_state, after.subjects[subject].reference_reason) == (TEMPLATE, OUTDATED)


async def test_the_client_is_told_once(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    before = await office.file(file.case.id)
    renewed = with_other_models(office)
    await refusal(renewed.sessions.open(grant.secret))
    asked = await office.file(file.case.id)
    (notice,) = notices_between(before, asked, at=1.0)
    assert (notice.type, notice.data["subject"], notice.data["reason"]) == ("reference.unusable", subject, OUTDATED)
    await refusal(renewed.sessions.open(grant.secret))
    assert (await office.file(file.case.id)).entries == asked.entries


async def test_a_link_is_not_burnt_and_no_new_one_is_issued(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    renewed = with_other_models(office)
    assert await refusal(renewed.invites.exchange(code)) == OUTDATED
    assert await refusal(renewed.invites.issue(office.client, file.case.id, subject)) == OUTDATED
    assert (await office.invites.inspect(code)).state is InviteState.CONSENTED
    assert (await office.file(file.case.id)).subjects[subject].reference_reason == OUTDATED


async def test_a_replica_with_other_models_does_not_burn_a_challenge(office: Office) -> None:
    """As while replicas are restarted one after another."""
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)
    assert await refusal(with_other_models(office).sessions.claim(opened.session_id, opened.secret)) == OUTDATED
    claim = await office.sessions.claim(opened.session_id, opened.secret)
    assert (await office.sessions.finish(claim, CONVINCING)).outcome == "accepted"


async def test_with_the_photo_sent_again_the_person_verifies(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    renewed = with_other_models(office)
    await refusal(renewed.sessions.open(grant.secret))
    await renewed.amendments.replace(office.client, file.case.id, subject, person())
    sent = (await office.file(file.case.id)).subjects[subject]
    assert (sent.reference_state, sent.reference_reason) == (ReferenceState.PORTRAIT, None)
    claim = await renewed.claim(file, subject)
    assert claim.reference.contract == OTHER
    finished = await renewed.sessions.finish(claim, replace(CONVINCING, contract=OTHER))
    assert finished.outcome == "accepted"


async def test_going_back_to_the_earlier_models_finds_all_as_it_was(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    await refusal(with_other_models(office).sessions.open(grant.secret))
    opened = await office.sessions.open(grant.secret)
    assert opened.attempts_left == 2
    assert (await office.file(file.case.id)).subjects[subject].reference_reason is None
    claim = await office.sessions.claim(opened.session_id, opened.secret)
    assert (await office.sessions.finish(claim, CONVINCING)).outcome == "accepted"


async def test_who_has_not_consented_yet_is_not_concerned(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    renewed = with_other_models(office)
    await renewed.agree(code)
    opened = await renewed.sessions.open((await renewed.invites.exchange(code)).secret)
    assert (await renewed.sessions.claim(opened.session_id, opened.secret)).reference.contract == OTHER


async def test_who_has_verified_stays_verified(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    assert await with_other_models(office).mint(file, subject)
