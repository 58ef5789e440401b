import asyncio
from dataclasses import replace
from secrets import token_bytes

import pytest
from registry_office import CONVINCING, FACELESS, Office, agreement, person, photo

from verify.casefile import InviteState, ReferenceState
from verify.errors import VerifyError
from verify.identifiers import new_secret
from verify.invites import CaptureGrant
from verify.standing import Standing


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def test_inspecting_burns_nothing_and_shows_no_name(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    before = await office.file(file.case.id)
    view = await office.invites.inspect(code)
    assert await office.file(file.case.id) == before
    assert (view.name_masked, view.requester, view.attempts_left) == ("张**", "window 1", 3)


async def test_the_way_is_consent_then_exchange_then_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    assert await refusal(office.invites.exchange(code)) == "consent_required"
    assert (await office.agree(code)).state is InviteState.CONSENTED
    assert await refusal(office.agree(code)) == "invite_used"
    await office.invites.exchange(code)
    assert await refusal(office.invites.exchange(code)) == "invite_used"


MINE, OTHER = (new_secret(token_bytes) for _ in range(2))


async def test_a_phone_with_a_secret_of_its_own_may_exchange_again_and_burns_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    first = await office.invites.exchange(code, grant_secret=MINE)
    await office.sessions.open(first.secret)
    before, office_time = await office.file(file.case.id), first.expires_at
    office.store.advance(60)
    again = await office.invites.exchange(code, grant_secret=MINE)
    assert (again.secret, again.expires_at, again.attempts_left) == (first.secret, office_time, 2)
    assert await office.file(file.case.id) == before  # with the head of the audit chain
    assert MINE not in str(before)
    for secret in (OTHER, None):
        assert await refusal(office.invites.exchange(code, grant_secret=secret)) == "invite_used"


async def test_two_exchanges_at_once_with_one_secret_are_one(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    secrets = (MINE, MINE, MINE, OTHER)
    asked = [office.invites.exchange(code, grant_secret=secret) for secret in secrets]
    got = await asyncio.gather(*asked, return_exceptions=True)
    grants = {each.secret for each in got if isinstance(each, CaptureGrant)}
    assert (len(grants), {each.code for each in got if isinstance(each, VerifyError)}) == (1, {"invite_used"})


async def test_a_grant_of_ones_own_that_is_over_is_not_given_again(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    grant = await office.invites.exchange(code, grant_secret=MINE)
    office.store.stop_at(grant.expires_at.timestamp())
    assert await refusal(office.invites.exchange(code, grant_secret=MINE)) == "grant_invalid"
    assert await refusal(office.invites.exchange(code, grant_secret=OTHER)) == "invite_used"


async def test_a_secret_that_is_none_is_refused_and_burns_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    for secret in ("", MINE[:-1], MINE + "A", MINE[:-1] + "B", "+" + MINE[1:], code.split(".")[2]):
        assert await refusal(office.invites.exchange(code, grant_secret=secret)) == "grant_secret_invalid"
    assert (await office.invites.inspect(code)).state is InviteState.CONSENTED


@pytest.mark.parametrize(
    "changes",
    [{"consent_version": "2020-01"}, {"consent_sha256": "0" * 64}, {"intent_sha256": "0" * 64}, {"language": "en"}],
)
async def test_only_the_texts_in_force_can_be_agreed_to(office: Office, changes: dict[str, str]) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    given = agreement(await office.invites.inspect(code), **changes)
    assert await refusal(office.invites.consent(code, given)) == "consent_mismatch"
    assert (await office.invites.inspect(code)).state is InviteState.ISSUED


async def test_the_photo_becomes_a_template_at_consent_and_not_before(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    portrait = await office.store.blob(file.case.id, f"reference:{subject}")
    await office.agree(code)
    template = await office.store.blob(file.case.id, f"reference:{subject}")
    after = (await office.file(file.case.id)).subjects[subject]
    assert (after.reference_state, after.reference_contract) == (ReferenceState.TEMPLATE, "sface_2021dec/112/1")
    assert portrait is not None
    assert template is not None
    assert photo((10, 100, 200)) not in portrait
    assert template != portrait


async def test_who_withdraws_while_a_session_runs_is_not_verified_by_it(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    grant = await office.invites.exchange(code)
    opened = await office.sessions.open(grant.secret)
    claim = await office.sessions.claim(opened.session_id, opened.secret)
    withdrawn = agreement(await office.invites.inspect(code), agreed=False)
    assert (await office.invites.consent(code, withdrawn)).state is InviteState.DECLINED
    assert await refusal(office.sessions.finish(claim, CONVINCING)) == "invite_revoked"
    assert (await office.file(file.case.id)).subjects[subject].reference_state is ReferenceState.ERASED


async def test_who_is_verified_declines_too_late(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    opened = await office.sessions.open((await office.invites.exchange(code)).secret)
    await office.sessions.finish(await office.sessions.claim(opened.session_id, opened.secret), CONVINCING)
    late = agreement(await office.invites.inspect(code), agreed=False)
    assert await refusal(office.invites.consent(code, late)) == "already_verified"


async def test_declining_erases_the_photo(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    declined = agreement(await office.invites.inspect(code), agreed=False)
    assert (await office.invites.consent(code, declined)).state is InviteState.DECLINED
    assert await office.store.blob(file.case.id, f"reference:{subject}") is None
    assert (await office.cases.get(office.client, file.case.id)).standings[subject] is Standing.DECLINED
    assert await refusal(office.invites.inspect(code)) == "invite_revoked"
    assert await refusal(office.invites.issue(office.client, file.case.id, subject)) == "reference_gone"


async def test_an_unusable_photo_is_named_to_person_and_client(office: Office) -> None:
    file, (subject,) = await office.case(subjects=(person(photo=photo(FACELESS)),))
    code = await office.invite(file, subject)
    assert await refusal(office.agree(code)) == "reference_unusable"
    after = (await office.file(file.case.id)).subjects[subject]
    assert (after.reference_state, after.reference_reason) == (ReferenceState.UNUSABLE, "face_none")
    assert await office.store.blob(file.case.id, f"reference:{subject}") is None


async def test_inspecting_tells_what_is_final(office: Office) -> None:
    file, people = await office.case(subjects=(person(0), person(1, photo=photo(FACELESS)), person(2)))
    verified, faceless, trying = [await office.invite(file, subject) for subject in people]
    assert {(await office.invites.inspect(code)).ended for code in (verified, faceless, trying)} == {None}
    await office.verify_by(verified)
    assert (await office.invites.inspect(verified)).ended == "already_verified"
    await refusal(office.agree(faceless))
    assert (await office.invites.inspect(faceless)).ended == "reference_unusable"
    await office.agree(trying)
    grant = await office.invites.exchange(trying)
    for ended in (None, None, "attempts_exhausted"):
        await office.sessions.open(grant.secret)
        assert (await office.invites.inspect(trying)).ended == ended


async def test_a_link_expires_exactly_on_time(office: Office) -> None:
    file, (subject,) = await office.case()
    issued = await office.invites.issue(office.client, file.case.id, subject)
    office.store.stop_at(issued.expires_at.timestamp())
    assert await refusal(office.invites.inspect(issued.code)) == "invite_expired"


async def test_a_new_link_revokes_the_old_one_and_its_grant(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    await office.invite(file, subject)
    assert await refusal(office.sessions.open(grant.secret)) == "grant_invalid"


async def test_a_link_of_another_person_with_our_secret_is_unknown(office: Office) -> None:
    file, people = await office.case(2)
    one, other = [await office.invite(file, subject) for subject in people]
    mixed = ".".join([*other.split(".")[:2], one.split(".")[2]])
    assert await refusal(office.invites.inspect(mixed)) == "invite_unknown"


async def test_who_is_verified_needs_no_link(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    assert await refusal(office.invites.issue(office.client, file.case.id, subject)) == "already_verified"


async def test_no_link_for_nobody(office: Office) -> None:
    file, (subject,) = await office.case()
    assert await refusal(office.invites.issue(office.client, file.case.id, "sub_x")) == "subject_unknown"
    stranger = replace(office.client, id="cli_other")
    assert await refusal(office.invites.issue(stranger, file.case.id, subject)) == "case_unknown"


async def test_secrets_are_not_in_the_store(office: Office) -> None:
    file, (subject,) = await office.case()
    code = await office.invite(file, subject)
    await office.agree(code)
    grant = await office.invites.exchange(code)
    stored = str(await office.file(file.case.id))
    assert code.split(".")[2] not in stored
    assert grant.secret.split(".")[2] not in stored
