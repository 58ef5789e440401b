import asyncio
from dataclasses import replace

import pytest
from registry_office import CONVINCING, IMPOSTOR, INTERRUPTED, Office

from verify.errors import Conflict, Gone, NotFound, Refused, VerifyError
from verify.evidence import Evidence
from verify.standing import Standing


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def test_a_convincing_session_verifies(office: Office) -> None:
    file, (subject,) = await office.case()
    result = await office.sessions.finish(await office.claim(file, subject), CONVINCING)
    assert (result.outcome, result.reason, result.attempts_left) == ("accepted", None, 2)
    view = await office.cases.get(office.client, file.case.id)
    assert view.standings[subject] is Standing.VERIFIED


@pytest.mark.parametrize(
    ("evidence", "outcome", "reason"),
    [(IMPOSTOR, "rejected", "not_verified"), (INTERRUPTED, "retry", "interrupted")],
)
async def test_what_does_not_convince_verifies_nobody(
    office: Office, evidence: Evidence, outcome: str, reason: str
) -> None:
    file, (subject,) = await office.case()
    result = await office.sessions.finish(await office.claim(file, subject), evidence)
    assert (result.outcome, result.reason) == (outcome, reason)
    assert (await office.file(file.case.id)).verifications == {}


async def test_nan_is_never_accepted(office: Office) -> None:
    file, (subject,) = await office.case()
    blind = replace(CONVINCING, similarity=float("nan"))
    result = await office.sessions.finish(await office.claim(file, subject), blind)
    assert result.outcome != "accepted"


async def test_a_session_is_claimed_once_however_many_try(office: Office) -> None:
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)
    tries = [office.sessions.claim(opened.session_id, opened.secret) for _ in range(20)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refusals) == 19
    assert {error.code for error in refusals} == {"session_already_claimed"}


async def test_the_secret_is_needed(office: Office) -> None:
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)
    assert await refusal(office.sessions.claim(opened.session_id, "wrong")) == "session_secret_invalid"
    assert await refusal(office.sessions.get(opened.session_id, "wrong")) == "session_secret_invalid"


@pytest.mark.parametrize("session_id", ["", "ses_x", "ses_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaa"])
async def test_an_unknown_session_is_unknown(office: Office, session_id: str) -> None:
    assert await refusal(office.sessions.claim(session_id, "x")) == "session_unknown"
    assert await refusal(office.sessions.get(session_id, "x")) == "session_unknown"


async def test_a_claim_exactly_after_three_minutes_is_too_late(office: Office) -> None:
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)
    office.store.stop_at(opened.expires_at.timestamp())
    assert await refusal(office.sessions.claim(opened.session_id, opened.secret)) == "session_expired"
    assert (await office.sessions.get(opened.session_id, opened.secret)).state == "expired"


async def test_finishing_after_ten_minutes_is_too_late(office: Office) -> None:
    file, (subject,) = await office.case()
    claim = await office.claim(file, subject)
    office.store.advance(601)
    assert await refusal(office.sessions.finish(claim, CONVINCING)) == "session_expired"


async def test_a_session_is_finished_once(office: Office) -> None:
    file, (subject,) = await office.case()
    claim = await office.claim(file, subject)
    await office.sessions.finish(claim, IMPOSTOR)
    assert await refusal(office.sessions.finish(claim, CONVINCING)) == "session_not_claimed"


async def test_another_challenge_finishes_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    claim = await office.claim(file, subject)
    other = replace(claim, challenge=replace(claim.challenge, id="chl_other"))
    assert await refusal(office.sessions.finish(other, CONVINCING)) == "session_not_claimed"


async def test_three_attempts_are_all(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    left = [(await office.sessions.open(grant.secret)).attempts_left for _ in range(3)]
    assert left == [2, 1, 0]
    assert await refusal(office.sessions.open(grant.secret)) == "attempts_exhausted"


@pytest.mark.parametrize("forge", [lambda _: "", lambda secret: secret[:-1], lambda _: "a.b.c"])
async def test_a_forged_grant_is_invalid(office: Office, forge: object) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    with pytest.raises(Refused, match="grant"):
        await office.sessions.open(forge(grant.secret))


async def test_a_grant_lasts_an_hour(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    office.store.stop_at(grant.expires_at.timestamp())
    assert await refusal(office.sessions.open(grant.secret)) == "grant_invalid"


async def test_who_is_verified_needs_no_other_session(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    opened = await office.sessions.open(grant.secret)
    claim = await office.sessions.claim(opened.session_id, opened.secret)
    second = await office.sessions.open(grant.secret)
    await office.sessions.finish(claim, CONVINCING)
    assert await refusal(office.sessions.open(grant.secret)) == "already_verified"
    other = await office.sessions.claim(second.session_id, second.secret)
    assert await refusal(office.sessions.finish(other, CONVINCING)) == "already_verified"


async def test_a_cancelled_case_accepts_nobody(office: Office) -> None:
    file, (subject,) = await office.case()
    claim = await office.claim(file, subject)
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    assert await refusal(office.sessions.finish(claim, CONVINCING)) == "case_not_open"


async def test_a_person_verifies_again_when_the_time_is_over(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    office.store.advance(20 * 86400 + 1)
    view = await office.cases.get(office.client, file.case.id)
    assert view.standings[subject] is Standing.PENDING
    await office.verify(file, subject)


async def test_scores_are_kept_sealed_only(office: Office) -> None:
    file, (subject,) = await office.case()
    claim = await office.claim(file, subject)
    await office.sessions.finish(claim, CONVINCING)
    sealed = await office.store.blob(file.case.id, f"evidence:{claim.session_id}")
    entries = b"".join(await office.store.audit(file.case.id))
    assert sealed is not None
    assert b"similarity" not in sealed
    assert b"similarity" not in entries


async def test_without_a_template_nothing_is_compared(office: Office) -> None:
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)

    def erase(found: object, _: float) -> object:
        from verify.audit import Event
        from verify.casefile import ReferenceState
        from verify.store import Change

        gone = replace(found.subjects[subject], reference_state=ReferenceState.ERASED)
        return Change(after=found.with_(gone), event=Event(name="erased", actor="service"), value=None)

    await office.store.transact(file.case.id, erase)
    with pytest.raises(Gone) as caught:
        await office.sessions.claim(opened.session_id, opened.secret)
    assert caught.value.code == "reference_gone"


async def test_each_session_has_its_own_challenge(office: Office) -> None:
    file, people = await office.case(2)
    first, second = [await office.claim(file, subject) for subject in people]
    assert first.challenge.id != second.challenge.id
    assert set(first.challenge.nonces).isdisjoint(second.challenge.nonces)


async def test_a_grant_of_an_unknown_case_is_invalid(office: Office) -> None:
    code = f"{'a' * 16}.{'b' * 16}.{'c' * 43}"
    with pytest.raises(Refused):
        await office.sessions.open(code)
    with pytest.raises(NotFound):
        await office.invites.inspect(code)
