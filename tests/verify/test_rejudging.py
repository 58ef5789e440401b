"""A candidate policy over sealed evidence of the past: what would change, in counts, and what cannot be said."""

import math
from collections import Counter
from dataclasses import fields, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_office import CONVINCING, CUES, IMPOSTOR, INTERRUPTED, POLICY, Office

from liveness.assessment import MORE_CUES, SIGNALS, trust
from liveness.report import LivenessReport
from liveness.signals import graded
from liveness.thresholds import Line
from verify.decision import decide
from verify.errors import Unavailable
from verify.evidence import Evidence
from verify.fraud import FraudEvidence, fraud_signs, with_fraud
from verify.jose import SealingKey, new_sealing_key, read_sealing_key
from verify.policy import Policy
from verify.rejudging import JUDGING, Replay, Verdict, how_measured, rejudge, replay
from verify.scores import Scores, blob_name
from verify.sessions import Sessions

AUDITOR = new_sealing_key()
KNOWN = {POLICY.version: POLICY}
ACCEPTED = Verdict(outcome="Accepted", reason=None, signal=None)
MISMATCH = Verdict(outcome="Rejected", reason="mismatch", signal=None)
STRICTER = replace(POLICY, version="stricter", least_similarity=0.7)


@pytest.fixture
def sessions(office: Office) -> Sessions:
    return replace(office.sessions, auditor=read_sealing_key(AUDITOR.to_json(private=False), private=False))


async def replayed(office: Office, candidate: Policy = STRICTER, **changes: Any) -> Replay:
    options = {"key": AUDITOR, "known": KNOWN, **changes}
    return await replay(office.store, office.keys.vault, candidate=candidate, **options)


async def decided(office: Office, sessions: Sessions, *evidence: Evidence) -> str:
    file, (subject,) = await office.case()
    for each in evidence:
        await sessions.finish(await office.claim(file, subject), each)
    return file.case.id


def by_verdict(found: Replay) -> dict[tuple[str, Verdict, Verdict], int]:
    return {(each.action, each.before, each.after): count for each, count in found.rejudged.items()}


async def test_the_policy_of_then_decides_as_it_did(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, INTERRUPTED, IMPOSTOR, CONVINCING)
    found = await replayed(office, POLICY)
    assert (found.cases, found.sessions, found.changed, found.not_replayed) == (1, 3, 0, {})
    assert all(each.before == each.after for each in found.rejudged)


async def test_what_would_change_is_counted(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, IMPOSTOR, CONVINCING)
    await decided(office, sessions, CONVINCING)
    found = await replayed(office)
    assert by_verdict(found) == {
        ("capital.increase", ACCEPTED, MISMATCH): 2,
        ("capital.increase", MISMATCH, MISMATCH): 1,
    }
    assert (found.sessions, found.changed) == (3, 2)


async def test_a_milder_candidate_accepts_more(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, replace(CONVINCING, brightness=POLICY.brightness / 2))
    found = await replayed(office, replace(POLICY, brightness=0.0))
    assert by_verdict(found) == {
        ("capital.increase", Verdict(outcome="Retry", reason="too_dark", signal=None), ACCEPTED): 1
    }


async def test_nothing_of_people_is_told(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, CONVINCING)
    file = await office.file(case_id)
    told = repr(await replayed(office))
    for identifier in (case_id, *file.subjects, *file.sessions, "张三丰", "0.6", "0.8"):
        assert identifier not in told


async def test_nothing_is_written(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, IMPOSTOR, CONVINCING)
    before = await everything(office)
    assert (await replayed(office)).sessions == 2
    assert await everything(office) == before


async def everything(office: Office) -> dict[str, object]:
    """All that lies under the prefix of the test's store."""
    connection = office.store._connection
    keys = [key async for key in connection.matching(f"{office.store._prefix}:*", page=1000)]
    return {key: await connection.ask("DUMP", key) for key in sorted(keys)}


async def test_of_erased_people_nothing_is_replayed(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, CONVINCING)
    await decided(office, sessions, CONVINCING)
    (subject,) = (await office.file(case_id)).subjects
    await office.erasures.erase_subject(case_id, subject, actor="operator")
    found = await replayed(office)
    assert (found.sessions, found.not_replayed) == (1, {"erased": 1})


async def test_what_was_sealed_for_another_stays_sealed(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, CONVINCING)
    other: SealingKey = new_sealing_key()
    assert (await replayed(office, key=other)).not_replayed == {"sealed_for_another": 1}


async def test_evidence_that_was_exchanged_is_told(office: Office, sessions: Sessions) -> None:
    case_id = await decided(office, sessions, CONVINCING)
    file = await office.file(case_id)
    (session,) = file.sessions.values()
    forged = sessions._kept_scores(file, session, "e30.e30.e30.e30.e30")
    await office.store._connection.ask("SET", office.store._blob(case_id, blob_name(session.id)), forged)
    assert (await replayed(office)).not_replayed == {"changed": 1}


async def test_sessions_that_were_never_decided_are_told(office: Office, sessions: Sessions) -> None:
    file, (subject,) = await office.case()
    await office.claim(file, subject)
    assert (await replayed(office)).not_replayed == {"not_kept": 1}


async def test_only_what_ended_since_counts(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, CONVINCING)
    office.store.advance(3600)
    later = await office.store.now()
    await decided(office, sessions, IMPOSTOR)
    assert by_verdict(await replayed(office, since=later)) == {("capital.increase", MISMATCH, MISMATCH): 1}
    assert (await replayed(office, since=later + 3600)).sessions == 0


async def test_a_case_that_does_not_hold_is_left_out_and_told(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, CONVINCING)
    broken = await decided(office, sessions, CONVINCING)
    await office.store._connection.ask("LSET", office.store._audit(broken), 1, "{}")
    found = await replayed(office)
    assert (found.cases, found.damaged, found.sessions) == (2, 1, 1)


async def test_progress_is_told_case_by_case(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, CONVINCING)
    await decided(office, sessions, CONVINCING)
    seen: list[int] = []
    await replayed(office, progress=seen.append)
    assert seen == [1, 2]


async def test_without_the_keys_of_the_service_nothing_opens(office: Office, sessions: Sessions) -> None:
    await decided(office, sessions, CONVINCING)
    with pytest.raises(Unavailable) as raised:
        await replay(
            office.store,
            replace(office.keys.vault, wrapping_key=bytes(32)),
            key=AUDITOR,
            candidate=POLICY,
            known=KNOWN,
        )
    assert raised.value.code == "key_damaged"


# Judging anew, alone


def scored(evidence: Evidence, fraud: FraudEvidence | None = None, policy: Policy = POLICY, **changes: Any) -> Scores:
    """What is sealed of a session that this policy decided."""
    fraud = fraud or FraudEvidence()
    decision = with_fraud(decide(evidence, policy), fraud_signs(fraud, policy.fraud))
    reason = getattr(decision, "reason", None)
    scores = Scores(
        case="c",
        session="s",
        subject="p",
        policy=policy.version,
        decision=type(decision).__name__,
        reason=None if reason is None else str(reason),
        signal=getattr(decision, "signal", None),
        fraud=msgspec.to_builtins(fraud),
        evidence=msgspec.to_builtins(evidence),
    )
    kept = msgspec.json.decode(msgspec.json.encode(scores), type=Scores)
    return replace(kept, **changes)


def with_signals(raw: dict[str, float | None], policy: Policy = POLICY) -> Evidence:
    """Evidence whose signals have these raw values, judged by a policy's lines."""
    lines = policy.liveness.signals
    signals = tuple(graded(name, raw.get(name), getattr(lines, name)) for name in sorted(SIGNALS - {MORE_CUES}))
    report = LivenessReport(
        repertoire=CONVINCING.liveness.repertoire,
        cues=CUES,
        complete=True,
        signals=signals,
        light=None,
        trust=trust(signals, CUES, policy.liveness.fusion.weights),
        frames=80,
    )
    return replace(CONVINCING, liveness=report)


def lined(**lines: Line) -> Policy:
    """The policy with other lines through its signals."""
    signals = replace(POLICY.liveness.signals, **lines)
    return replace(POLICY, version="lined", liveness=replace(POLICY.liveness, signals=signals))


RAW = st.fixed_dictionaries(
    {name: st.one_of(st.none(), st.floats(-0.5, 2.0, allow_nan=False)) for name in sorted(JUDGING)}
)
MOVED = st.dictionaries(
    st.sampled_from(sorted(JUDGING)),
    st.builds(lambda to, by: (to, by), st.floats(-0.5, 2), st.floats(0.01, 1)),
    max_size=4,
)


@given(raw=RAW, moved=MOVED, trusting=st.floats(0, 1))
def test_judging_anew_is_judging_the_same_measures(
    raw: dict[str, float | None], moved: dict[str, tuple[float, float]], trusting: float
) -> None:
    """As if the candidate had been in force while the session ran."""
    candidate = lined(**{name: Line(passing=to, failing=to - by) for name, (to, by) in moved.items()})
    fusion = replace(candidate.liveness.fusion, trust=trusting)
    candidate = replace(candidate, liveness=replace(candidate.liveness, fusion=fusion))
    found = rejudge(scored(with_signals(raw)), candidate=candidate, known=KNOWN)
    expected = scored(with_signals(raw, candidate), policy=candidate)
    assert not isinstance(found, str)
    assert found[1] == Verdict(outcome=expected.decision, reason=expected.reason, signal=expected.signal)


def test_a_line_that_moved_decides_by_the_raw_value() -> None:
    good = {name: getattr(POLICY.liveness.signals, name).passing for name in JUDGING}
    candidate = lined(passive=Line(passing=0.99, failing=0.98))
    found = rejudge(scored(with_signals(good)), candidate=candidate, known=KNOWN)
    assert found == (ACCEPTED, Verdict(outcome="Rejected", reason="liveness", signal="passive"))


def test_signs_of_fraud_are_judged_anew() -> None:
    rule = replace(POLICY.fraud.pace, does="refer")
    candidate = replace(POLICY, fraud=replace(POLICY.fraud, pace=rule))
    found = rejudge(scored(CONVINCING, FraudEvidence(pace=1e6)), candidate=candidate, known=KNOWN)
    assert found == (ACCEPTED, Verdict(outcome="Referred", reason="fraud", signal="pace"))


def test_what_could_not_be_measured_then_still_is_not() -> None:
    evidence = replace(CONVINCING, eye_distance_px=math.nan)
    found = rejudge(scored(evidence), candidate=replace(POLICY, eye_distance_px=1.0), known=KNOWN)
    assert not isinstance(found, str)
    assert found[0] == found[1] == Verdict(outcome="Retry", reason="face_too_small", signal=None)


def cues(**changes: float) -> Policy:
    return replace(POLICY, liveness=replace(POLICY.liveness, cues=replace(POLICY.liveness.cues, **changes)))


@pytest.mark.parametrize(
    "candidate",
    [
        cues(turn_degrees=30.0),
        lined(light=Line(passing=0.9, failing=0.1)),
        lined(texture=Line(passing=1.0, failing=3.0)),
        replace(POLICY, fraud=replace(POLICY.fraud, pace_hours=24.0)),
        replace(
            POLICY,
            liveness=replace(POLICY.liveness, signals=replace(POLICY.liveness.signals, relief_views=9)),
        ),
    ],
)
def test_a_candidate_that_measures_otherwise_cannot_be_judged_from_evidence(candidate: Policy) -> None:
    assert how_measured(candidate) != how_measured(POLICY)
    assert rejudge(scored(CONVINCING), candidate=candidate, known=KNOWN) == "measured_otherwise"


def test_other_models_and_unknown_policies_are_told_apart() -> None:
    other = replace(POLICY, contract="other/1")
    assert rejudge(scored(CONVINCING), candidate=other, known=KNOWN) == "other_contract"
    assert rejudge(scored(CONVINCING), candidate=POLICY, known={}) == "policy_unknown"


def test_a_decision_that_does_not_come_out_again_is_no_ground_to_compare_on() -> None:
    assert rejudge(scored(CONVINCING), candidate=POLICY, known={POLICY.version: STRICTER}) == "not_reproduced"


def test_evidence_of_another_form_is_told() -> None:
    scores = scored(CONVINCING)
    lacking = replace(scores, evidence={name: each for name, each in scores.evidence.items() if name != "liveness"})
    assert rejudge(lacking, candidate=POLICY, known=KNOWN) == "unreadable"
    weights = {**POLICY.liveness.fusion.weights, "noise": 9.0}
    fusion = replace(POLICY.liveness.fusion, weights=weights)
    weighing = replace(POLICY, liveness=replace(POLICY.liveness, fusion=fusion))
    assert rejudge(scored(CONVINCING), candidate=weighing, known=KNOWN) == "unreadable"


def test_every_line_of_a_policy_either_measures_or_judges() -> None:
    """A new line must be sorted in: one that is neither would be passed over."""
    lines = {each.name for each in fields(POLICY.liveness.signals) if each.name not in JUDGING}
    assert lines & {"light", "texture", "relief_views", "moving_level"} == {
        "light",
        "texture",
        "relief_views",
        "moving_level",
    }
    assert Counter(SIGNALS - JUDGING) == Counter({MORE_CUES: 1, "light": 1})


async def test_test_mode_is_nobody(office: Office, sessions: Sessions) -> None:
    tester, _ = await office.clients.create("tester", mode="test")
    beside = replace(office, client=tester, sessions=sessions)
    file, (subject,) = await beside.case()
    await sessions.finish(await beside.claim(file, subject), CONVINCING)
    found = await replayed(office)
    assert (found.sessions, found.not_replayed) == (0, {"test_mode": 1})


async def test_an_empty_store_has_nothing_to_replay(office: Office) -> None:
    found = await replayed(office)
    assert (found.cases, found.sessions, found.changed, found.damaged) == (0, 0, 0, 0)
