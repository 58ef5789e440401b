"""The sealed log of scores: for the auditor alone, complete, and bound to the audit chain."""

import math
from dataclasses import fields, replace

import msgspec
import pytest
from registry_office import CONVINCING, IMPOSTOR, Office, person, pretend_to_embed

from verify.audit import verify_chain
from verify.decision import Accepted
from verify.errors import NotFound
from verify.evidence import Evidence
from verify.fraud import FraudEvidence, Traces
from verify.jose import SealInvalidError, new_sealing_key, read_sealing_key, unseal
from verify.scores import DETAIL, Unsealed, binding, blob_name, seal_scores, text_hash, unsealed
from verify.sessions import Sessions

AUDITOR = new_sealing_key()


@pytest.fixture
def sessions(office: Office) -> Sessions:
    """Sessions of a service that knows the auditor's public half alone."""
    return replace(office.sessions, auditor=read_sealing_key(AUDITOR.to_json(private=False), private=False))


async def decided(office: Office, sessions: Sessions, *evidence: Evidence) -> str:
    """A case with a session for each evidence."""
    file, (subject,) = await office.case()
    for each in evidence:
        await sessions.finish(await office.claim(file, subject), each)
    return file.case.id


async def test_the_auditor_reads_what_other_sessions_showed(office: Office, sessions: Sessions) -> None:
    file, (first, second) = await office.case(2)
    await office.claim(file, first)
    face = (await pretend_to_embed(person(0).photo)).template
    await sessions.finish(await office.claim(file, second), CONVINCING, Traces(face=face))
    (found,) = await opened(office, file.case.id)
    assert (found.scores.decision, found.scores.reason, found.scores.signal) == ("Referred", "fraud", "face_in_case")
    assert found.scores.fraud["face_in_case"] == pytest.approx(1.0)
    assert found.scores.fraud["similar_frames"] is None


async def opened(office: Office, case_id: str, key: object = AUDITOR) -> list[Unsealed]:
    return [each async for each in unsealed(office.store, office.keys.vault, case_id, key=key)]


async def test_the_auditor_reads_every_scalar_with_decision_reason_and_policy(
    office: Office, sessions: Sessions
) -> None:
    case_id = await decided(office, sessions, IMPOSTOR, CONVINCING)
    first, second = await opened(office, case_id)
    assert (first.outcome, second.outcome) == ("unsealed", "unsealed")
    assert (first.scores.decision, first.scores.reason) == ("Rejected", "mismatch")
    assert (second.scores.decision, second.scores.reason) == ("Accepted", None)
    assert second.scores.policy == office.sessions.policy.version
    assert set(second.scores.evidence) == {field.name for field in fields(Evidence)}
    assert msgspec.convert(second.scores.evidence, Evidence) == CONVINCING


async def test_what_could_not_be_measured_is_null(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, replace(CONVINCING, similarity=math.nan))
    (only,) = await opened(office, case_id)
    assert only.scores.evidence["similarity"] is None


async def test_the_service_cannot_read_them_back(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, CONVINCING)
    with pytest.raises(ValueError, match="private"):
        read_sealing_key(sessions.auditor.to_json(private=False), private=True)
    file = await office.file(case_id)
    (session,) = file.sessions.values()
    sealed = await office.store.blob(case_id, blob_name(session.id))
    bound_to = binding(session.subject_id, session.id)
    text = office.keys.vault.open(sealed, case_id=case_id, wrapped_key=file.case.wrapped_key, bound_to=bound_to)
    with pytest.raises(SealInvalidError):
        unseal(text.decode(), key=sessions.auditor)


async def test_another_auditor_reads_nothing(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, CONVINCING)
    (only,) = await opened(office, case_id, new_sealing_key())
    assert (only.outcome, only.scores) == ("sealed_for_another", None)


async def test_the_audit_entry_names_the_sealed_text(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, IMPOSTOR, CONVINCING)
    file = await office.file(case_id)
    entries = verify_chain(await office.store.audit(case_id), expected_head=file.head)
    assert len({entry.details[DETAIL] for entry in entries if DETAIL in entry.details}) == 2


async def test_scores_that_were_exchanged_are_found(office: Office, sessions: Sessions) -> None:
    """The service itself exchanges a rejected session's scores for others that it seals correctly."""
    case_id = await decided(office, sessions, IMPOSTOR)
    file = await office.file(case_id)
    (session,) = file.sessions.values()
    forged = sessions._kept_scores(file, session, "e30.e30.e30.e30.e30")
    await office.store._connection.ask("SET", office.store._blob(case_id, blob_name(session.id)), forged)
    (only,) = await opened(office, case_id)
    assert (only.outcome, only.scores) == ("changed", None)


async def test_scores_that_are_gone_are_told_as_erased(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, CONVINCING)
    (session_id,) = (await office.file(case_id)).sessions
    await office.store._connection.ask("DEL", office.store._blob(case_id, blob_name(session_id)))
    assert [each.outcome for each in await opened(office, case_id)] == ["erased"]


async def test_an_unknown_case_is_unknown(office: Office) -> None:
    with pytest.raises(NotFound):
        await opened(office, "case_aaaaaaaaaaaaaaaa")


def test_the_same_scores_never_look_alike() -> None:
    texts = {
        seal_scores(
            Accepted(),
            CONVINCING,
            fraud=FraudEvidence(),
            case_id="c",
            session_id="s",
            subject_id="p",
            policy="1",
            key=AUDITOR,
        )
        for _ in range(2)
    }
    assert len({text_hash(text) for text in texts}) == 2
