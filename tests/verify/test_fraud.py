from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_office import POLICY

from verify.decision import Accepted, Reason, Referred, Rejected, Retry, public_outcome
from verify.fraud import FraudEvidence, FraudSign, fraud_signs, with_fraud

RULES = POLICY.fraud
NAMES = ("face_in_case", "face_across_cases", "same_frames", "similar_frames", "pace", "device_pace")
values = st.none() | st.floats(min_value=-1, max_value=1000)
evidences = st.builds(FraudEvidence, **dict.fromkeys(NAMES, values))
decisions = st.sampled_from(
    [Accepted(), Retry(Reason.TOO_DARK), Rejected(Reason.MISMATCH), Referred(Reason.LIVENESS_INCONCLUSIVE)]
)


def test_without_anything_to_compare_nothing_fires() -> None:
    assert fraud_signs(FraudEvidence(), RULES) == ()


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_fires_at_its_value_and_not_below(name: str) -> None:
    rule = getattr(RULES, name)
    below = FraudEvidence(**{name: rule.at_least - 0.001})
    assert fraud_signs(below, RULES) == ()
    at = FraudEvidence(**{name: rule.at_least})
    assert fraud_signs(at, RULES) == (FraudSign(name=name, does=rule.does),)
    assert fraud_signs(FraudEvidence(**{name: float("nan")}), RULES) != ()


def test_the_policy_decides_what_follows() -> None:
    seen = FraudEvidence(face_in_case=0.9)
    ends = {}
    for does in ("refuse", "refer", "flag"):
        rules = replace(RULES, face_in_case=replace(RULES.face_in_case, does=does))
        ends[does] = with_fraud(Accepted(), fraud_signs(seen, rules))
    assert ends == {
        "refuse": Rejected(Reason.FRAUD, "face_in_case"),
        "refer": Referred(Reason.FRAUD, "face_in_case"),
        "flag": Accepted(),
    }


def test_the_gravest_sign_counts() -> None:
    signs = fraud_signs(FraudEvidence(face_in_case=1.0, same_frames=10.0, pace=100.0), RULES)
    assert [sign.does for sign in signs] == ["refuse", "refer", "flag"]
    assert with_fraud(Accepted(), signs) == Rejected(Reason.FRAUD, "same_frames")


def test_a_likeness_alone_never_refuses() -> None:
    assert RULES.face_in_case.does != "refuse"
    assert RULES.face_across_cases.does != "refuse"
    assert min(RULES.face_in_case.at_least, RULES.face_across_cases.at_least) > POLICY.similarity


def test_outside_it_cannot_be_told_from_other_reasons() -> None:
    assert public_outcome(Rejected(Reason.FRAUD, "same_frames")) == public_outcome(Rejected(Reason.MISMATCH))
    assert public_outcome(Referred(Reason.FRAUD, "face_in_case")) == public_outcome(Referred(Reason.CONTRACT))


@given(decision=decisions, evidence=evidences)
def test_no_sign_makes_a_decision_better(decision: object, evidence: FraudEvidence) -> None:
    after = with_fraud(decision, fraud_signs(evidence, RULES))
    assert after == decision or (decision == Accepted() and isinstance(after, Rejected | Referred))


@given(evidence=evidences, name=st.sampled_from(NAMES), more=st.floats(min_value=0, max_value=100))
def test_more_of_it_never_silences_a_sign(evidence: FraudEvidence, name: str, more: float) -> None:
    value = getattr(evidence, name)
    worse = replace(evidence, **{name: more if value is None else value + more})
    assert set(fraud_signs(evidence, RULES)) <= set(fraud_signs(worse, RULES))
