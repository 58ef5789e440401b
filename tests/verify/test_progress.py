import pytest
from registry_office import CONVINCING, IMPOSTOR, INTERRUPTED, Office, person, restate

from verify.casefile import CaseFile, InviteState
from verify.evidence import Evidence
from verify.progress import LastAttempt, Progress
from verify.sessions import CLAIM_SECONDS, SESSION_SECONDS


async def of(office: Office, file: CaseFile, subject: str) -> Progress:
    return (await office.cases.get(office.client, file.case.id)).progress[subject]


def ended(found: LastAttempt | None) -> tuple[str | None, str | None]:
    assert found is not None
    return found.outcome, found.reason


async def test_at_the_beginning_there_is_nothing_to_tell(office: Office) -> None:
    file, (subject,) = await office.case()
    assert await of(office, file, subject) == Progress()


@pytest.mark.parametrize(
    ("evidence", "told"),
    [(IMPOSTOR, ("rejected", "not_verified")), (INTERRUPTED, ("retry", None)), (CONVINCING, ("accepted", None))],
)
async def test_how_an_attempt_ended_is_told_as_notices_tell_it(
    office: Office, evidence: Evidence, told: tuple[str, str | None]
) -> None:
    file, (subject,) = await office.case()
    await office.sessions.finish(await office.claim(file, subject), evidence)
    assert ended((await of(office, file, subject)).last_attempt) == told


@pytest.mark.parametrize(("claims", "seconds"), [(False, CLAIM_SECONDS), (True, SESSION_SECONDS)])
async def test_an_attempt_is_under_way_until_its_time_is_over(office: Office, claims: bool, seconds: float) -> None:
    file, (subject,) = await office.case()
    opened = await office.sessions.open((await office.grant(file, subject)).secret)
    if claims:
        await office.sessions.claim(opened.session_id, opened.secret)
    began = (await of(office, file, subject)).last_attempt
    assert ended(began) == (None, None)
    office.store.stop_at(began.opened_at + seconds)
    after = (await of(office, file, subject)).last_attempt
    assert (ended(after), after.opened_at) == (("timed_out", None), began.opened_at)


async def test_the_newest_attempt_and_the_newest_link_count(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.sessions.finish(await office.claim(file, subject), IMPOSTOR)
    await office.sessions.finish(await office.claim(file, subject), INTERRUPTED)
    newest = await of(office, file, subject)
    assert ended(newest.last_attempt) == ("retry", None)
    assert (newest.invite.state, newest.invite.attempts_left) == (InviteState.EXCHANGED, 2)


async def test_a_link_runs_out_with_what_it_was_exchanged_for(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    issued = (await of(office, file, subject)).invite
    assert issued.state is InviteState.ISSUED
    await office.agree(code)
    assert (await of(office, file, subject)).invite.state is InviteState.CONSENTED
    await office.invites.exchange(code)
    exchanged = (await of(office, file, subject)).invite
    assert exchanged.expires_at < issued.expires_at
    office.store.stop_at(exchanged.expires_at)
    assert (await of(office, file, subject)).invite.state == "expired"


async def test_what_was_verified_is_told_while_it_counts_and_its_receipt_for_good(office: Office) -> None:
    file, (subject, _) = await office.case(2)
    token = await office.verified_token(file, subject)
    verified = await of(office, file, subject)
    assert verified.valid_until - verified.verified_at == 20 * 86400
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    redeemed = await of(office, file, subject)
    assert (redeemed.receipt, redeemed.valid_until) == (receipt.id, None)
    assert redeemed.verified_at == verified.verified_at


async def test_what_was_revoked_counts_no_more(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    await office.store.bump_epoch()
    void = await of(office, file, subject)
    assert (void.verified_at, void.valid_until, ended(void.last_attempt)) == (None, None, ("accepted", None))


async def test_of_a_newcomer_nothing_is_told_that_was_of_whoever_stood_there(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.sessions.finish(await office.claim(file, subject), IMPOSTOR)
    await office.amendments.replace(office.client, file.case.id, subject, person(1))
    newcomer = await of(office, file, subject)
    assert (newcomer.last_attempt, newcomer.invite.state) == (None, InviteState.REVOKED)
