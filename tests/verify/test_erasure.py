"""Erased means: no store, no append-only file and no backup of it opens what was erased; and the chain stays whole."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from registry_office import (
    CONVINCING,
    ClockedStore,
    Office,
    agreement,
    open_office,
    person,
    photo,
    restate,
)

from benchmarks.store_servers import running_server
from verify.audit import Event, verify_chain
from verify.auditing import audit
from verify.casefile import CaseFile, CaseState, Details, ReferenceState, Rule, VerificationState
from verify.connection import connect
from verify.erasure import DAY_SECONDS, FACES_TO_REPORT, faces_advice
from verify.errors import Gone, NotFound, VerifyError
from verify.identity_documents import IdentityDocument
from verify.references import blob_name, reference_binding
from verify.scores import unsealed
from verify.standing import Standing
from verify.store import Change


async def entries(office: Office, case_id: str) -> list[str]:
    file = await office.file(case_id)
    return [entry.event for entry in verify_chain(await office.store.audit(case_id), expected_head=file.head)]


async def blobs_of(office: Office, case_id: str) -> set[str]:
    keys = await office.store._connection.ask("KEYS", office.store._blob(case_id, "*"))
    return {key.decode().rsplit(":blob:", 1)[1] for key in keys}


async def erase(office: Office, file: CaseFile, subject: str) -> bool:
    return await office.erasures.erase_subject(file.case.id, subject, actor="operator")


async def keep(office: Office) -> None:
    await office.erasures.keep_clock(await office.store.ledger.marked(limit=99))


async def test_a_person_is_erased_and_the_others_verify_on(office: Office) -> None:
    passport = IdentityDocument(type="passport", number="E12345678", issuing_state="CHN")
    file, (first, second) = await office.case(subjects=(person(document=passport), person(1)))
    await office.verify(file, first)
    assert await erase(office, file, first)
    after = (await office.file(file.case.id)).subjects[first]
    assert (after.name_masked, after.name_sealed, after.id_masked) == ("", b"", "")
    assert (after.id_hash, after.stateless_hash) == ("", "")
    assert after.reference_state is ReferenceState.ERASED
    assert await blobs_of(office, file.case.id) == {f"reference:{second}"}
    await office.verify(file, second)
    view = await office.cases.get(office.client, file.case.id)
    assert (view.standings[first], view.standings[second]) == (Standing.ERASED, Standing.VERIFIED)


async def test_the_erasure_is_proven_by_the_chain_which_stays_whole(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    await office.checkpoints.advance()
    await erase(office, file, subject)
    assert (await entries(office, file.case.id))[-1] == "subject.erased"
    keys = office.keys.rings["checkpoint"].ring.published()
    assert (await audit(office.store, expected_keys=keys)).intact


async def test_whoever_declined_and_is_erased_later_is_erased(office: Office) -> None:
    file, (subject, _) = await office.case(2)
    code = await office.invite(file, subject)
    await office.invites.consent(code, agreement(await office.invites.inspect(code), agreed=False))
    assert (await office.cases.get(office.client, file.case.id)).standings[subject] is Standing.DECLINED
    await erase(office, file, subject)
    assert (await office.cases.get(office.client, file.case.id)).standings[subject] is Standing.ERASED


async def test_what_an_erased_person_redeemed_stays_redeemed(office: Office) -> None:
    file, (subject, _) = await office.case(2)
    await office.redemptions.redeem(office.client, await office.verified_token(file, subject), restate(file, subject))
    await erase(office, file, subject)
    assert (await office.cases.get(office.client, file.case.id)).standings[subject] is Standing.REDEEMED


async def test_a_link_by_which_an_erased_person_could_object_is_dead(office: Office) -> None:
    file, (erased, removed, kept) = await office.case(3)
    codes = [(await office.disputes.issue(office.client, file.case.id, each)).code for each in (erased, removed, kept)]
    await erase(office, file, erased)
    await office.amendments.remove(office.client, file.case.id, removed)
    for code in codes[:2]:
        for ask in (office.disputes.inspect, office.disputes.report):
            with pytest.raises(Gone) as refused:
                await ask(code)
            assert refused.value.code == "content_erased"
    assert (await office.disputes.inspect(codes[2])).name_masked
    with pytest.raises(Gone):
        await office.disputes.issue(office.client, file.case.id, erased)
    await office.erasures.erase_case(file.case.id, actor="operator", reason="request")
    with pytest.raises(Gone):
        await office.disputes.inspect(codes[2])


async def test_with_a_place_everybody_who_stood_there_is_erased(office: Office) -> None:
    file, (place, _) = await office.case(2)
    await office.verify(file, place)
    await office.disputes.issue(office.client, file.case.id, place)
    await office.amendments.replace(office.client, file.case.id, place, person(7))
    before = await office.file(file.case.id)
    assert all(each.former for each in (*before.dispute_links.values(), *before.verifications.values()))
    await erase(office, file, place)
    after = await office.file(file.case.id)
    assert not any(each.former for each in (*after.dispute_links.values(), *after.verifications.values()))


async def test_a_case_goes_on_with_whoever_takes_an_erased_persons_place(office: Office) -> None:
    """Test of the advice: also for the only holder of a required role, who holds all shares, and who comes back."""
    file, (subject,) = await office.case(subjects=(person(share_percent="100"),))
    await erase(office, file, subject)
    for ask in (
        office.invite(file, subject),
        office.amendments.replace(office.client, file.case.id, subject, person(1)),
    ):
        with pytest.raises(Gone, match="add whoever takes the place") as refused:
            await ask
        assert refused.value.code == "content_erased"
    view = await office.amendments.add(office.client, file.case.id, person())
    newcomer = next(each for each in view.file.roster if each != subject)
    await office.amendments.remove(office.client, file.case.id, subject)
    full = person(share_percent="100", photo=photo((8, 8, 8)))
    now = (await office.amendments.replace(office.client, file.case.id, newcomer, full)).file
    token = await office.verified_token(now, newcomer)
    await office.redemptions.redeem(office.client, token, restate(now, newcomer))
    assert (await office.file(file.case.id)).case.state is CaseState.COMPLETED


async def test_erasing_again_changes_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    assert await erase(office, file, subject)
    assert not await erase(office, file, subject)
    assert (await entries(office, file.case.id)).count("subject.erased") == 1


async def test_an_erasure_that_was_interrupted_is_finished_when_it_is_repeated(office: Office) -> None:
    file, (subject,) = await office.case()
    office.keys.vault.erase(file.case.id, subject)
    assert await erase(office, file, subject)
    assert (await entries(office, file.case.id))[-1] == "subject.erased"


async def test_what_was_verified_and_not_redeemed_is_void_and_a_receipt_stays(office: Office) -> None:
    file, (first, second) = await office.case(2)
    redeemed, minted = await office.verified_token(file, first), await office.verified_token(file, second)
    receipt = await office.redemptions.redeem(office.client, redeemed, restate(file, first))
    for subject in (first, second):
        await erase(office, file, subject)
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem(office.client, minted, restate(file, second))
    assert caught.value.code == "verification_revoked"
    assert await office.redemptions.receipt(office.client, receipt.id) == receipt
    states = {each.state for each in (await office.file(file.case.id)).verifications.values()}
    assert states == {VerificationState.REDEEMED, VerificationState.REVOKED}


async def test_a_session_that_runs_meanwhile_verifies_nobody(office: Office) -> None:
    file, (subject,) = await office.case()
    claim = await office.claim(file, subject)
    await erase(office, file, subject)
    with pytest.raises(VerifyError) as caught:
        await office.sessions.finish(claim, CONVINCING)
    assert caught.value.code in {"reference_gone", "invite_revoked"}


async def test_scores_go_with_the_person(office: Office) -> None:
    file, (first, second) = await office.case(2)
    await office.verify(file, first, second)
    await erase(office, file, first)
    key = office.keys.auditor
    found = {
        each.subject: each.outcome async for each in unsealed(office.store, office.keys.vault, file.case.id, key=key)
    }
    assert found[first] == "erased"
    assert found[second] != "erased"


async def test_unknown_cases_and_people_are_named(office: Office) -> None:
    file, _ = await office.case()
    with pytest.raises(NotFound, match="subject"):
        await erase(office, file, "sub_other")
    with pytest.raises(NotFound, match="case"):
        await office.erasures.erase_subject("case_aaaaaaaaaaaaaaaa", "sub_other", actor="operator")


async def test_a_case_is_erased_when_it_has_been_over_for_long_enough(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    await keep(office)
    office.store.stop_at(file.case.deadline + 30 * DAY_SECONDS - 1)
    assert await office.erasures.erase_due() == 0
    office.store.stop_at(file.case.deadline + 30 * DAY_SECONDS)
    assert await office.erasures.erase_due() == 1
    assert await office.erasures.erase_due() == 0
    assert (await entries(office, file.case.id))[-1] == "case.erased"
    after = await office.file(file.case.id)
    assert (after.case.wrapped_key, after.subjects[subject].name_sealed) == (b"", b"")
    assert await blobs_of(office, file.case.id) == set()


async def test_a_case_that_ended_early_is_kept_no_longer_than_from_then(office: Office) -> None:
    file, _ = await office.case()
    await keep(office)
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    await keep(office)
    office.store.advance(30 * DAY_SECONDS + 60)
    assert await office.erasures.erase_due() == 1


async def test_a_case_whose_deadline_was_moved_is_not_erased(office: Office) -> None:
    file, _ = await office.case()
    await keep(office)
    later = file.case.deadline + 90 * DAY_SECONDS

    def moved(found: CaseFile, _: float) -> Change[None]:
        after = found.with_(replace(found.case, deadline=later))
        return Change(after=after, event=Event(name="moved", actor="service"), value=None)

    await office.store.transact(file.case.id, moved)
    office.store.stop_at(file.case.deadline + 31 * DAY_SECONDS)
    assert await office.erasures.erase_due() == 1
    assert (await office.file(file.case.id)).case.wrapped_key
    office.store.stop_at(later + 30 * DAY_SECONDS)
    assert await office.erasures.erase_due() == 1
    assert not (await office.file(file.case.id)).case.wrapped_key


async def test_stored_faces_are_counted(office: Office) -> None:
    file, (first, _) = await office.case(2)
    await office.case(3)
    await keep(office)
    assert await office.store.ledger.stored_faces() == 5
    await erase(office, file, first)
    await keep(office)
    assert await office.store.ledger.stored_faces() == 4
    await office.erasures.erase_case(file.case.id, actor="operator", reason="asked")
    await keep(office)
    assert await office.store.ledger.stored_faces() == 3


def test_from_a_hundred_thousand_faces_on_there_is_a_warning() -> None:
    assert "authority" not in faces_advice(FACES_TO_REPORT - 1)
    assert "authority" in faces_advice(FACES_TO_REPORT)


@asynccontextmanager
async def store_at(folder: Path) -> AsyncIterator[ClockedStore]:
    """A store with a server of its own, whose files can be copied away."""
    server = running_server(folder)
    running = await asyncio.to_thread(server.__enter__)
    try:
        async with ClockedStore(connect(running.url)) as store:
            yield store
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def test_neither_a_rewritten_file_nor_a_restored_backup_opens_what_was_erased(tmp_path: Path) -> None:
    """The thief has a backup of the store from before the erasure, all key files of today, and time."""
    folder, backup = tmp_path / "store", tmp_path / "backup"
    folder.mkdir()
    async with store_at(folder) as store:
        office = await open_office(store, tmp_path)
        file, (erased, kept) = await office.case(2)
        for subject in (erased, kept):
            await office.grant(file, subject)  # the photos have become templates
        subject = (await office.file(file.case.id)).subjects[erased]
        sealed = await store.blob(file.case.id, blob_name(subject))
        await store.confirm_durable()
        shutil.copytree(folder, backup)
        await erase(office, file, erased)
        await store._connection.ask("BGREWRITEAOF")
        while (await store._connection.ask("INFO", "persistence"))["aof_rewrite_in_progress"]:
            pass
        left = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert sealed is not None
        assert sealed not in left
    assert sealed in b"".join(path.read_bytes() for path in backup.rglob("*") if path.is_file())
    async with store_at(backup) as store:
        restored = await open_office(store, tmp_path)
        found = await restored.file(file.case.id)
        assert found.subjects[erased].reference_state is ReferenceState.TEMPLATE
        assert template(restored, found, kept, await store.blob(found.case.id, f"reference:{kept}"))
        with pytest.raises(Gone) as caught:
            template(restored, found, erased, await store.blob(found.case.id, f"reference:{erased}"))
        assert caught.value.code == "content_erased"
        assert await restored.erasures.erase_again() == 1
        assert (await restored.file(file.case.id)).subjects[erased].name_masked == ""
        assert await restored.erasures.erase_again() == 0


def template(office: Office, file: CaseFile, subject_id: str, sealed: bytes | None) -> bytes:
    subject = file.subjects[subject_id]
    assert sealed is not None
    assert subject.reference_contract is not None
    bound_to = reference_binding(subject, subject.reference_contract)
    return office.keys.vault.open(sealed, case_id=file.case.id, wrapped_key=file.case.wrapped_key, bound_to=bound_to)


async def test_after_a_restore_nothing_of_before_is_worth_anything(office: Office) -> None:
    """Test of the epoch: a backup may lack redemptions, whose tokens must not be redeemed again."""
    file, (first, second) = await office.case(2)
    token = await office.verified_token(file, first)
    await office.verify(file, second)
    await office.store.bump_epoch()
    with pytest.raises(Gone) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, first))
    assert caught.value.code == "verification_expired"
    with pytest.raises(Gone):
        await office.mint(file, second)
    await office.verify(file, second)
    assert await office.redemptions.redeem(office.client, await office.mint(file, second), restate(file, second))


async def test_erased_people_still_count_as_the_people_that_they_were(office: Office) -> None:
    file, (first, second) = await office.case(2, rule=Rule(kind="k_of_n", k=2))
    token = await office.verified_token(file, first)
    await office.redemptions.redeem(office.client, token, restate(file, first))
    last = await office.verified_token(file, second)
    await erase(office, file, first)
    await office.redemptions.redeem(office.client, last, restate(file, second))
    assert (await office.file(file.case.id)).case.state is CaseState.COMPLETED


async def test_two_erased_people_do_not_keep_a_roster_from_changing(office: Office) -> None:
    file, (first, second, _) = await office.case(3)
    for subject in (first, second):
        await erase(office, file, subject)
    view = await office.amendments.remove(office.client, file.case.id, first)
    assert list(view.standings) == list(file.subjects)[1:]


async def test_a_backup_from_before_somebody_was_removed_is_cleared_of_them(office: Office) -> None:
    file, (_, gone) = await office.case(2)
    before = await office.file(file.case.id)
    await office.amendments.remove(office.client, file.case.id, gone)
    event = Event(name="case.changed", actor="service")
    await office.store.transact(
        file.case.id,
        lambda now_file, _: Change(after=now_file.with_(before.subjects[gone]), event=event, value=None),
    )
    assert await office.erasures.erase_again() == 1
    assert (await office.file(file.case.id)).subjects[gone].id_hash == ""
    assert await office.erasures.erase_again() == 0


async def test_with_the_case_goes_what_the_client_wrote_about_it(office: Office) -> None:
    file, _ = await office.case(details=Details(counterparty="王五"), metadata={"note": "张三丰"})
    await office.erasures.erase_case(file.case.id, actor="operator", reason="request")
    case = (await office.file(file.case.id)).case
    assert (case.details, case.metadata) == (Details(), {})


async def test_a_damaged_case_keeps_no_other_past_its_time(office: Office) -> None:
    damaged, _ = await office.case()
    whole, _ = await office.case()
    await keep(office)
    await office.damage(damaged.case.id)
    office.store.stop_at(whole.case.deadline + 30 * DAY_SECONDS)
    assert await office.erasures.erase_due() == 2
    assert not (await office.file(whole.case.id)).case.wrapped_key
    assert office.damaged == [damaged.case.id]
    assert await office.erasures.erase_due() == 0
    office.store.stop_at(whole.case.deadline + 31 * DAY_SECONDS + 1)
    assert await office.erasures.erase_due() == 1
    assert office.damaged == [damaged.case.id] * 2


async def test_damaged_cases_are_left_out_by_what_looks_at_all(office: Office) -> None:
    damaged, _ = await office.case()
    whole, _ = await office.case()
    await office.damage(damaged.case.id)
    await keep(office)
    assert await office.store.ledger.ended(before=whole.case.deadline, limit=9) == (whole.case.id,)
    assert await office.checkpoints.advance() is not None
    assert await office.erasures.erase_again() == 0
    assert office.damaged == [damaged.case.id] * 2
