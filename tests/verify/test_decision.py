from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge import Cue, Repertoire
from liveness.report import CueOutcome, CueReport, LivenessReport, Signal, Status
from liveness.thresholds import ALTERNATIVE
from verify.decision import NOT_VERIFIED, Accepted, Decision, Reason, Referred, Rejected, Retry, decide, public_outcome
from verify.evidence import Evidence
from verify.policy import load_policy

POLICY = load_policy()
NAN = float("nan")


def answered(cue: Cue, outcome: CueOutcome = CueOutcome.ANSWERED) -> CueReport:
    return CueReport(cue=cue, outcome=outcome, asked_at=1.0, opened_at=1.1, answered_at=2.0, peak=20.0)


def signal(name: str, status: Status) -> Signal:
    return Signal(name=name, raw=0.1, score=1.0, status=status)


REQUIRED = POLICY.liveness.fusion.required[Repertoire.ALL]
PASSING = tuple(signal(name, Status.PASS) for each in REQUIRED for name in each.split(ALTERNATIVE))
CUES = tuple(answered(cue) for cue in (Cue.TURN_LEFT, Cue.TURN_RIGHT, Cue.LOOK_UP))
LIVENESS = LivenessReport(
    repertoire=Repertoire.ALL, cues=CUES, complete=True, signals=PASSING, light=None, trust=0.9, frames=80
)
CONVINCING = Evidence(
    contract=POLICY.contract,
    similarity=0.8,
    least_similarity=0.6,
    compared_frames=8,
    liveness=LIVENESS,
    no_face_share=0.0,
    several_faces_share=0.0,
    eye_distance_px=80.0,
    brightness=0.5,
    sharpness=POLICY.sharpness + 1.0,
    interrupted=False,
)


def with_signal(status: Status, name: str = "relief") -> LivenessReport:
    others = tuple(each for each in PASSING if each.name != name)
    return replace(LIVENESS, signals=(signal(name, status), *others))


def with_signals(status: Status, *names: str, missing: str | None = None) -> LivenessReport:
    """Signals of these names have a status, one is missing, and all others pass."""
    others = tuple(each for each in PASSING if each.name not in (*names, missing))
    return replace(LIVENESS, signals=(*(signal(name, status) for name in names), *others))


def with_outcome(outcome: CueOutcome) -> LivenessReport:
    return replace(LIVENESS, cues=(*CUES, answered(Cue.LOOK_DOWN, outcome)))


def test_convincing_evidence_is_accepted() -> None:
    assert decide(CONVINCING, POLICY) == Accepted()


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"similarity": POLICY.similarity - 0.001}, Rejected(Reason.MISMATCH)),
        ({"least_similarity": POLICY.least_similarity - 0.001}, Rejected(Reason.MISMATCH)),
        ({"similarity": NAN}, Retry(Reason.NOT_MEASURED)),
        ({"least_similarity": NAN}, Retry(Reason.NOT_MEASURED)),
        ({"compared_frames": 0, "similarity": NAN}, Retry(Reason.NOT_MEASURED)),
        ({"contract": "another"}, Referred(Reason.CONTRACT)),
        ({"interrupted": True}, Retry(Reason.INTERRUPTED)),
        ({"no_face_share": 0.9}, Retry(Reason.NO_FACE)),
        ({"no_face_share": NAN}, Retry(Reason.NO_FACE)),
        ({"several_faces_share": 0.9}, Retry(Reason.SEVERAL_FACES)),
        ({"several_faces_share": NAN}, Retry(Reason.SEVERAL_FACES)),
        ({"eye_distance_px": 20.0}, Retry(Reason.FACE_TOO_SMALL)),
        ({"eye_distance_px": NAN}, Retry(Reason.FACE_TOO_SMALL)),
        ({"brightness": 0.02}, Retry(Reason.TOO_DARK)),
        ({"brightness": NAN}, Retry(Reason.TOO_DARK)),
        ({"sharpness": NAN}, Retry(Reason.BLURRED)),
        ({"liveness": with_signal(Status.FAIL)}, Rejected(Reason.LIVENESS, "relief")),
        ({"liveness": with_signal(Status.INCONCLUSIVE)}, Referred(Reason.LIVENESS_INCONCLUSIVE, "relief")),
        ({"liveness": replace(LIVENESS, signals=())}, Referred(Reason.LIVENESS_INCONCLUSIVE, REQUIRED[0])),
        ({"liveness": with_signal(Status.FAIL, "light")}, Rejected(Reason.LIVENESS, "light")),
        ({"liveness": with_signal(Status.INCONCLUSIVE, "light")}, Accepted()),
        ({"liveness": with_signal(Status.INCONCLUSIVE, "unbroken")}, Accepted()),
        (
            {"liveness": with_signals(Status.INCONCLUSIVE, "light", "unbroken")},
            Referred(Reason.LIVENESS_INCONCLUSIVE, "light or unbroken"),
        ),
        ({"liveness": with_signals(Status.PASS, "light", missing="unbroken")}, Accepted()),
        (
            {"liveness": with_signals(Status.INCONCLUSIVE, "light", missing="unbroken")},
            Referred(Reason.LIVENESS_INCONCLUSIVE, "light or unbroken"),
        ),
        ({"liveness": with_signal(Status.FAIL, "perspective")}, Accepted()),
        ({"liveness": replace(LIVENESS, trust=0.1)}, Referred(Reason.LIVENESS_INCONCLUSIVE, "trust")),
        ({"liveness": replace(LIVENESS, trust=NAN)}, Referred(Reason.LIVENESS_INCONCLUSIVE, "trust")),
        (
            {"liveness": replace(LIVENESS, repertoire=Repertoire.WITHOUT_TURNS)},
            Referred(Reason.LIVENESS_INCONCLUSIVE, POLICY.liveness.fusion.required[Repertoire.WITHOUT_TURNS][0]),
        ),
        ({"liveness": replace(LIVENESS, complete=False)}, Retry(Reason.CUE_NOT_ANSWERED)),
        ({"liveness": with_outcome(CueOutcome.TIMED_OUT)}, Retry(Reason.CUE_NOT_ANSWERED)),
        ({"liveness": with_outcome(CueOutcome.NOT_ASKED)}, Retry(Reason.CUE_NOT_ANSWERED)),
        ({"liveness": with_outcome(CueOutcome.WRONG_MOTION)}, Retry(Reason.WRONG_MOTION)),
        ({"liveness": replace(LIVENESS, cues=())}, Retry(Reason.CUE_NOT_ANSWERED)),
    ],
)
def test_each_doubt_has_its_reason(changes: dict[str, object], decision: Decision) -> None:
    assert decide(replace(CONVINCING, **changes), POLICY) == decision  # type: ignore[arg-type]


share = st.floats(0, 1) | st.just(NAN)
wide = st.floats(-1, 1) | st.just(NAN)
evidences = st.builds(
    Evidence,
    contract=st.sampled_from([POLICY.contract, "another"]),
    similarity=wide,
    least_similarity=wide,
    compared_frames=st.integers(0, 12),
    liveness=st.builds(
        LivenessReport,
        repertoire=st.just(Repertoire.ALL),
        complete=st.booleans(),
        light=st.none(),
        trust=share,
        cues=st.lists(st.builds(answered, st.sampled_from(Cue), st.sampled_from(CueOutcome)), max_size=4).map(tuple),
        signals=st.tuples(
            *(st.builds(signal, st.just(name), st.sampled_from(Status)) for name in (*REQUIRED, "light"))
        ),
        frames=st.integers(0, 300),
    ),
    no_face_share=share,
    several_faces_share=share,
    eye_distance_px=st.floats(0, 300) | st.just(NAN),
    brightness=share,
    sharpness=st.floats(0, 1000) | st.just(NAN),
    interrupted=st.booleans(),
)


@given(evidences)
def test_nothing_is_accepted_but_what_meets_every_threshold(evidence: Evidence) -> None:
    meets_all = (
        evidence.contract == POLICY.contract
        and evidence.similarity >= POLICY.similarity
        and evidence.least_similarity >= POLICY.least_similarity
        and evidence.compared_frames >= POLICY.compared_frames
        and evidence.no_face_share <= POLICY.no_face_share
        and evidence.several_faces_share <= POLICY.several_faces_share
        and evidence.eye_distance_px >= POLICY.eye_distance_px
        and evidence.brightness >= POLICY.brightness
        and evidence.sharpness >= POLICY.sharpness
        and not evidence.interrupted
        and bool(evidence.liveness.cues)
        and all(report.outcome is CueOutcome.ANSWERED for report in evidence.liveness.cues)
        and evidence.liveness.complete
        and all(each.status is Status.PASS for each in evidence.liveness.signals if each.name in REQUIRED)
        and all(each.status is not Status.FAIL for each in evidence.liveness.signals)
        and evidence.liveness.trust >= POLICY.liveness.fusion.trust
    )
    assert (decide(evidence, POLICY) == Accepted()) == meets_all


@given(
    better=st.fixed_dictionaries(
        {
            "similarity": st.floats(CONVINCING.similarity, 1),
            "least_similarity": st.floats(CONVINCING.least_similarity, 1),
            "compared_frames": st.integers(CONVINCING.compared_frames, 40),
            "eye_distance_px": st.floats(CONVINCING.eye_distance_px, 400),
            "brightness": st.floats(CONVINCING.brightness, 1),
            "sharpness": st.floats(CONVINCING.sharpness, 10000),
        }
    )
)
def test_better_evidence_stays_accepted(better: dict[str, float]) -> None:
    assert decide(replace(CONVINCING, **better), POLICY) == Accepted()  # type: ignore[arg-type]


@given(evidences)
def test_what_leaves_is_an_outcome_and_a_code_without_scores(evidence: Evidence) -> None:
    outcome, code = public_outcome(decide(evidence, POLICY))
    assert outcome in {"accepted", "retry", "rejected", "referred"}
    assert (code is None) == (outcome == "accepted")


def test_mismatch_and_every_attack_signal_share_one_public_code() -> None:
    decisions = [Rejected(Reason.MISMATCH), Rejected(Reason.LIVENESS, "relief"), Rejected(Reason.LIVENESS, "same_face")]
    assert {public_outcome(decision) for decision in decisions} == {("rejected", NOT_VERIFIED)}
