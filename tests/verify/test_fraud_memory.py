import asyncio
from dataclasses import replace

import numpy as np
import pytest
from registry_office import (
    CONVINCING,
    INTERRUPTED,
    POLICY,
    Office,
    agreement,
    person,
    pretend_to_embed,
)

from models.embedding import Embedding
from models.fingerprint import BYTES
from verify.audit import verify_chain
from verify.fraud import DIGEST_BYTES, Traces
from verify.fraud_memory import network_of
from verify.fraud_window import FACES, FRAMES, FraudWindow, Recollection
from verify.sessions import SIMULATED, Claim, FinishedSession

HOURS = 3600.0
FRAUD = POLICY.fraud


def codes(finished: FinishedSession) -> list[str]:
    return [sign.code for sign in finished.signs]


def blended(one: Embedding, other: Embedding, share: float) -> Embedding:
    """A face between two: `share` of the first."""
    return Embedding(share * one.vector + (1 - share) * other.vector, one.contract)


async def face(number: int) -> Embedding:
    return (await pretend_to_embed(person(number).photo)).template


def clip(seed: int, frames: int = 40) -> Traces:
    """The frames of a session that resemble no others."""
    rng = np.random.default_rng(seed)
    return Traces(fingerprints=rng.bytes(frames * BYTES), digests=rng.bytes(frames * DIGEST_BYTES))


def compressed_anew(traces: Traces, *, bits: int = 6) -> Traces:
    """The same frames as other bytes: a few bits of each fingerprint differ."""
    prints = np.unpackbits(np.frombuffer(traces.fingerprints, np.uint8).reshape(-1, BYTES), axis=1)
    prints[:, :bits] ^= 1
    digests = np.random.default_rng(99).bytes(len(traces.digests))
    return replace(traces, fingerprints=np.packbits(prints).tobytes(), digests=digests)


async def finished(office: Office, number: int, traces: Traces, **changes: object) -> FinishedSession:
    """A session of one person in a case of their own."""
    file, (subject,) = await office.case(subjects=(person(number, **changes),))
    return await office.sessions.finish(await office.claim(file, subject), CONVINCING, traces)


# The same face


async def test_one_face_for_two_people_of_a_case_goes_to_the_window(office: Office) -> None:
    file, (first, second) = await office.case(2)
    await office.claim(file, first)
    agent = blended(await face(0), await face(1), 0.5)
    ended = await office.sessions.finish(await office.claim(file, second), CONVINCING, Traces(face=agent))
    assert (ended.outcome, ended.reason) == ("referred", "use_window")
    assert codes(ended) == ["face_in_case:refer"]
    assert (await office.file(file.case.id)).verifications == {}
    (last, *_) = reversed(
        verify_chain(await office.store.audit(file.case.id), expected_head=(await head(office, file)))
    )
    assert last.details["fraud"] == ("face_in_case:refer",)


async def head(office: Office, file: object) -> str:
    return (await office.file(file.case.id)).head


async def test_people_who_look_alike_up_to_the_line_pass(office: Office) -> None:
    file, (first, second) = await office.case(2)
    await office.claim(file, first)
    cousin = blended(await face(0), await face(1), 0.3)
    ended = await office.sessions.finish(await office.claim(file, second), CONVINCING, Traces(face=cousin))
    assert (ended.outcome, codes(ended)) == ("accepted", [])


async def test_one_person_in_two_roles_is_no_fraud(office: Office) -> None:
    people = (person(0), person(0, role="director"))
    file, subjects = await office.case(subjects=people)
    for subject in subjects:
        ended = await office.sessions.finish(await office.claim(file, subject), CONVINCING, Traces(face=await face(0)))
        assert (ended.outcome, codes(ended)) == ("accepted", [])


async def test_before_somebody_has_consented_their_photo_is_not_looked_at(office: Office) -> None:
    file, (_, second) = await office.case(2)
    ended = await office.sessions.finish(await office.claim(file, second), CONVINCING, Traces(face=await face(0)))
    assert codes(ended) == []


async def test_where_no_frame_counted_there_is_no_face_to_compare(office: Office) -> None:
    file, (first, second) = await office.case(subjects=(person(0), person(1, photo=person(0).photo)))
    await office.claim(file, first)
    ended = await office.sessions.finish(await office.claim(file, second), INTERRUPTED, clip(1))
    assert codes(ended) == []


async def test_one_face_under_two_numbers_in_two_cases_is_flagged(office: Office) -> None:
    same = person(0).photo
    await finished(office, 0, Traces(face=await face(0)))
    ended = await finished(office, 1, Traces(face=await face(0)), photo=same)
    assert (ended.outcome, codes(ended)) == ("accepted", ["face_across_cases:flag"])
    again = await finished(office, 0, Traces(face=await face(2)))
    assert codes(again) == []


async def test_the_window_of_faces_ends(office: Office) -> None:
    same = person(0).photo
    await finished(office, 0, Traces(face=await face(0)))
    office.store.advance(FRAUD.faces_days * 24 * HOURS + 60)
    ended = await finished(office, 1, Traces(face=await face(0)), photo=same)
    assert codes(ended) == []
    assert await office.store.ask("ZCARD", FACES) == 1


async def test_only_the_newest_are_compared(office: Office) -> None:
    few = replace(FRAUD, faces_most=2)
    sessions = replace(office.sessions, policy=replace(POLICY, fraud=few))
    small = replace(office, sessions=sessions)
    await finished(small, 0, Traces(face=await face(0)))
    for number in (5, 6):
        await finished(small, number, Traces(face=await face(number)))
    assert await office.store.ask("ZCARD", FACES) == 2
    ended = await finished(small, 1, Traces(face=await face(0)))
    assert codes(ended) == []


@pytest.mark.parametrize("how", ["subject", "case", "declined"])
async def test_who_was_erased_has_fallen_out_of_the_window(office: Office, how: str) -> None:
    same = person(0).photo
    file, (subject,) = await office.case(1)
    claim = await office.claim(file, subject)
    await office.sessions.finish(claim, replace(CONVINCING, interrupted=True), clip(1))
    if how == "subject":
        await office.erasures.erase_subject(file.case.id, subject, actor="operator")
    elif how == "case":
        await office.erasures.erase_case(file.case.id, actor="operator", reason="test")
    else:
        code = await office.invite(file, subject)
        view = await office.invites.inspect(code)
        await office.invites.consent(code, agreement(view, agreed=False))
    ended = await finished(office, 1, Traces(face=await face(0)), photo=same)
    assert codes(ended) == []
    if how != "declined":
        assert codes(await finished(office, 2, clip(1))) == []


async def test_test_mode_and_live_mode_are_not_compared(office: Office) -> None:
    client, _ = await office.clients.create("trial", mode="test")
    trial = replace(office, client=client)
    await finished(trial, 0, Traces(face=await face(0)))
    ended = await finished(office, 1, Traces(face=await face(0)))
    assert codes(ended) == []


async def test_a_simulated_attempt_leaves_nothing_and_is_not_compared(office: Office) -> None:
    client, _ = await office.clients.create("trial", mode="test")
    trial = replace(office, client=client)
    same = person(0).photo
    simulated = replace(CONVINCING, liveness=replace(CONVINCING.liveness, capture=SIMULATED))
    for number in (0, 1):
        file, (subject,) = await trial.case(subjects=(person(number, photo=same),))
        ended = await trial.sessions.finish(await trial.claim(file, subject), simulated)
        assert (ended.outcome, codes(ended)) == ("accepted", [])
    assert await office.store.ask("ZCARD", FACES) == 0


# The same frames


async def test_frames_that_come_again_to_the_byte_are_refused(office: Office) -> None:
    await finished(office, 0, clip(1))
    ended = await finished(office, 1, clip(1))
    assert (ended.outcome, ended.reason) == ("rejected", "not_verified")
    assert codes(ended) == ["same_frames:refuse", "similar_frames:refer"]


async def test_one_frame_by_chance_is_nothing(office: Office) -> None:
    first, second = clip(1), clip(2)
    await finished(office, 0, first)
    one = replace(second, digests=first.digests[:DIGEST_BYTES] + second.digests[DIGEST_BYTES:])
    assert codes(await finished(office, 1, one)) == []


async def test_frames_that_were_compressed_anew_go_to_the_window(office: Office) -> None:
    await finished(office, 0, clip(1))
    ended = await finished(office, 1, compressed_anew(clip(1)))
    assert (ended.outcome, codes(ended)) == ("referred", ["similar_frames:refer"])


async def test_a_clip_that_is_cut_from_another_session_is_found(office: Office) -> None:
    await finished(office, 0, clip(1, frames=80))
    whole = compressed_anew(clip(1, frames=80))
    cut = replace(whole, fingerprints=whole.fingerprints[30 * BYTES : 50 * BYTES])
    assert codes(await finished(office, 1, cut)) == ["similar_frames:refer"]


async def test_frames_beyond_the_distance_are_others(office: Office) -> None:
    await finished(office, 0, clip(1))
    ended = await finished(office, 1, compressed_anew(clip(1), bits=FRAUD.frames_bits + 1))
    assert codes(ended) == []


async def test_a_still_picture_says_nothing(office: Office) -> None:
    """Somebody who hardly moves in the same room: fewer distinct frames than can be judged."""
    one = clip(1, frames=1)
    still = replace(one, fingerprints=one.fingerprints * 60, digests=clip(3, frames=60).digests)
    await finished(office, 0, still)
    assert codes(await finished(office, 1, replace(still, digests=clip(4, frames=60).digests))) == []


async def test_an_attempt_that_failed_is_remembered_too(office: Office) -> None:
    file, (subject,) = await office.case(1)
    await office.sessions.finish(await office.claim(file, subject), INTERRUPTED, clip(1))
    ended = await office.sessions.finish(await office.claim(file, subject), CONVINCING, clip(1))
    assert ended.outcome == "rejected"


async def test_signs_of_an_attempt_that_failed_anyway_change_nothing(office: Office) -> None:
    file, (subject,) = await office.case(1)
    await finished(office, 5, clip(1))
    ended = await office.sessions.finish(await office.claim(file, subject), INTERRUPTED, clip(1))
    assert (ended.outcome, ended.reason) == ("retry", "interrupted")
    assert "same_frames:refuse" in codes(ended)


async def test_of_two_at_once_one_sees_the_other(office: Office) -> None:
    claims = []
    for number in (0, 1):
        file, (subject,) = await office.case(subjects=(person(number),))
        claims.append(await office.claim(file, subject))
    ended = await asyncio.gather(*(office.sessions.finish(claim, CONVINCING, clip(1)) for claim in claims))
    assert "rejected" in {each.outcome for each in ended}


async def test_the_window_of_frames_ends_and_is_bounded(office: Office) -> None:
    small = replace(
        office, sessions=replace(office.sessions, policy=replace(POLICY, fraud=replace(FRAUD, frames_most=2)))
    )
    for number in range(4):
        await finished(small, number, clip(number))
    assert await office.store.ask("HLEN", FRAMES) == 2
    assert codes(await finished(office, 7, clip(0))) == []
    office.store.advance(FRAUD.frames_hours * HOURS + 60)
    assert codes(await finished(office, 8, clip(3))) == []
    assert await office.store.ask("HLEN", FRAMES) == 1


async def test_what_is_kept_of_frames_is_sealed(office: Office) -> None:
    traces = clip(1)
    await finished(office, 0, traces)
    stored = b"".join((await office.store.ask("HGETALL", FRAMES)).values())
    assert traces.fingerprints[:BYTES] not in stored
    assert traces.digests[:DIGEST_BYTES] not in stored


# Read beforehand


async def recalled_anew(office: Office, claim: Claim, before: Recollection | None) -> Recollection:
    """What a session is compared with at its end."""
    file = await office.file(claim.case_id)
    window = FraudWindow(store=office.store, vault=office.keys.vault, policy=FRAUD)
    return await window.recall(file, file.subjects[claim.subject_id], now=await office.store.now(), before=before)


@pytest.mark.parametrize(("before", "since"), [((6,), ()), ((), (6,)), ((6,), (7,)), ((7,), (6,)), ((6,), (6,))])
async def test_what_was_read_beforehand_and_what_came_since_are_compared_alike(
    office: Office, before: tuple[int, ...], since: tuple[int, ...]
) -> None:
    shown = {number: clip(number) for number in (6, 7)}
    file, (subject,) = await office.case(subjects=(person(5),))
    claim = await office.claim(file, subject)
    for number in before:
        await finished(office, number, shown[number])
    recalled = await office.sessions.recall(claim)
    assert (len(recalled.faces), len(recalled.frames)) == (len(before), len(before))
    for number in since:
        await finished(office, number, shown[number])
    plain, late = await recalled_anew(office, claim, None), await recalled_anew(office, claim, recalled)
    assert late.faces.keys() == plain.faces.keys()
    assert late.frames.keys() == plain.frames.keys()
    assert len(late.frames) == len(before) + len(since)
    own = replace(shown[6], face=await face(6))
    ended = await office.sessions.finish(claim, CONVINCING, own, recalled=recalled)
    assert codes(ended) == ["same_frames:refuse", "similar_frames:refer", "face_across_cases:flag"]


async def test_what_was_read_once_is_not_read_again(office: Office) -> None:
    await finished(office, 6, clip(6))
    file, (subject,) = await office.case(subjects=(person(5),))
    claim = await office.claim(file, subject)
    recalled = await office.sessions.recall(claim)
    again = await recalled_anew(office, claim, recalled)
    for one, other in ((recalled.faces, again.faces), (recalled.frames, again.frames)):
        (kept,), (found,) = one.values(), other.values()
        assert kept is found is not None


async def test_what_has_left_the_window_since_it_was_read_is_not_compared(office: Office) -> None:
    shown = clip(6)
    await finished(office, 6, shown)
    file, (subject,) = await office.case(subjects=(person(5),))
    office.store.advance(FRAUD.frames_hours * HOURS - 60)
    claim = await office.claim(file, subject)
    recalled = await office.sessions.recall(claim)
    assert len(recalled.frames) == 1
    office.store.advance(FRAUD.frames_hours * HOURS + 60)
    assert codes(await office.sessions.finish(claim, CONVINCING, shown, recalled=recalled)) == []


# Pace


async def test_one_address_that_serves_many_people_is_flagged(office: Office) -> None:
    rules = replace(FRAUD, pace=replace(FRAUD.pace, at_least=3))
    quick = replace(office, sessions=replace(office.sessions, policy=replace(POLICY, fraud=rules)))
    here = Traces(address="192.0.2.7")
    found = [codes(await finished(quick, number, here)) for number in (0, 1, 1, 2)]
    assert found == [[], [], [], ["pace:flag"]]
    assert codes(await finished(quick, 3, Traces(address="192.0.2.8"))) == []
    assert codes(await finished(quick, 4, Traces())) == []
    office.store.advance(FRAUD.pace_hours * HOURS + 60)
    assert codes(await finished(quick, 5, here)) == []


async def test_one_device_that_serves_many_people_is_flagged(office: Office) -> None:
    rules = replace(FRAUD, device_pace=replace(FRAUD.device_pace, at_least=2))
    quick = replace(office, sessions=replace(office.sessions, policy=replace(POLICY, fraud=rules)))
    found = []
    for number, device in ((0, "d" * 22), (0, "d" * 22), (1, "e" * 22), (2, "d" * 22)):
        file, (subject,) = await quick.case(subjects=(person(number),))
        grant = await quick.grant(file, subject)
        opened = await quick.sessions.open(grant.secret, device=device)
        claim = await quick.sessions.claim(opened.session_id, opened.secret)
        found.append(codes(await quick.sessions.finish(claim, CONVINCING)))
    assert found == [[], [], [], ["device_pace:flag"]]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_household_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_the_store_names_no_address(office: Office) -> None:
    await finished(office, 0, Traces(address="192.0.2.7"))
    keys = [key async for key in office.store._connection.matching(f"{office.store._prefix}:*", page=100)]
    assert [key for key in keys if "192.0.2.7" in key] == []
    assert len([key for key in keys if ":fraud:from:" in key]) == 1


async def test_a_referral_is_not_for_good(office: Office) -> None:
    file, (first, second) = await office.case(2)
    await office.claim(file, first)
    await office.sessions.finish(await office.claim(file, second), CONVINCING, Traces(face=await face(0)))
    own = await office.sessions.finish(await office.claim(file, second), CONVINCING, Traces(face=await face(1)))
    assert own.outcome == "accepted"
