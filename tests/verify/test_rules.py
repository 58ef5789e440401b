"""Whose verifications are enough, and whether a case's rule is as strict as the operator's."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_office import Office, holding, person

from verify.actions import ACTIONS
from verify.casefile import Case, CaseFile, CaseState, OnBehalfOf, Organisation, ReferenceState, Rule, Subject
from verify.errors import Invalid
from verify.minimum_rules import MinimumRule, MinimumRules, check_minimum
from verify.rules import check_rule, unmet

ROLES = ("shareholder", "director", "agent")


def subject(number: int, role: str, *, person: int, behalf: OnBehalfOf | None = None) -> Subject:
    return Subject(
        id=f"sub_{number}",
        role=role,
        name_masked="张*",
        name_sealed=b"",
        id_type="passport",
        id_masked="",
        id_hash=f"person {person}",
        provenance="authority",
        reference_state=ReferenceState.TEMPLATE,
        reference_version=1,
        reference_contract=None,
        reference_reason=None,
        on_behalf_of=behalf,
    )


def file_of(rule: Rule, *people: tuple[str, int], action: str = "company.change") -> CaseFile:
    """A case of (role, number of the natural person)."""
    case = Case(
        id="case_aaaaaaaaaaaaaaaa",
        client="cli_1",
        client_name="window",
        mode="live",
        action=action,
        document_sha256="0" * 64,
        external_id=None,
        rule=rule,
        roster_version=1,
        state=CaseState.OPEN,
        reason=None,
        opened_at=0.0,
        deadline=1.0,
        wrapped_key=b"",
    )
    subjects = [subject(number, role, person=who) for number, (role, who) in enumerate(people)]
    return CaseFile(case=case).with_(*subjects)


def lacks(rule: Rule, people: tuple[tuple[str, int], ...], *verified: int) -> str | None:
    return unmet(file_of(rule, *people), {f"sub_{number}" for number in verified})


TWO_ROLES = (("shareholder", 1), ("shareholder", 2), ("director", 1), ("agent", 3))


@pytest.mark.parametrize(
    ("rule", "enough", "too_few"),
    [
        (Rule(), (0, 1, 2, 3), (0, 1, 2)),
        (Rule(kind="k_of_n", k=2), (0, 1), (0, 2)),
        (Rule(kind="k_of_n", k=3), (1, 2, 3), (0, 1, 2)),
        (Rule(kind="per_role", roles={"shareholder": "all", "agent": 1}), (0, 1, 3), (0, 1, 2)),
        (Rule(kind="per_role", roles={"shareholder": 1}), (1,), (2, 3)),
    ],
)
def test_who_is_enough(rule: Rule, enough: tuple[int, ...], too_few: tuple[int, ...]) -> None:
    assert lacks(rule, TWO_ROLES, *enough) is None
    assert lacks(rule, TWO_ROLES, *too_few)
    assert lacks(rule, TWO_ROLES)


def test_one_person_in_two_roles_counts_once_among_k_people() -> None:
    assert "there are 1" in str(lacks(Rule(kind="k_of_n", k=2), TWO_ROLES, 0, 2))


def test_who_is_not_on_the_roster_counts_for_nothing() -> None:
    file = file_of(Rule(), ("shareholder", 1), ("shareholder", 2))
    without = file.with_(replace(file.subjects["sub_1"], removed=True))
    assert unmet(without, {"sub_1"})
    assert unmet(without, {"sub_0"}) is None


def test_an_organisation_needs_somebody_who_signs() -> None:
    file = file_of(Rule(kind="k_of_n", k=1), ("shareholder", 1))
    owned = file.with_(Organisation(id="org_1", role="shareholder", name="公司", credit_code="C"))
    assert "sign" in str(unmet(owned, {"sub_0"}))
    signed = replace(file.subjects["sub_0"], on_behalf_of=OnBehalfOf(kind="organisation", id="C", name="公司"))
    assert unmet(owned.with_(signed), {"sub_0"}) is None


@pytest.mark.parametrize(
    "rule",
    [
        Rule(kind="all", k=1),
        Rule(kind="all", roles={"agent": 1}),
        Rule(kind="k_of_n"),
        Rule(kind="k_of_n", k=0),
        Rule(kind="k_of_n", k=4),
        Rule(kind="k_of_n", k=1, roles={"agent": 1}),
        Rule(kind="per_role"),
        Rule(kind="per_role", k=1, roles={"agent": 1}),
        Rule(kind="per_role", roles={"agent": 0}),
        Rule(kind="per_role", roles={"agent": 2}),
        Rule(kind="per_role", roles={"supervisor": "all"}),
    ],
)
def test_a_rule_that_no_roster_can_meet_is_refused(rule: Rule) -> None:
    with pytest.raises(Invalid) as caught:
        check_rule(file_of(rule, *TWO_ROLES))
    assert caught.value.code == "rule_invalid"


needs = st.dictionaries(st.sampled_from(ROLES), st.one_of(st.just("all"), st.integers(1, 3)), min_size=1)
rules = st.one_of(
    st.just(Rule()),
    st.integers(1, 4).map(lambda k: Rule(kind="k_of_n", k=k)),
    needs.map(lambda roles: Rule(kind="per_role", roles=roles)),
)
rosters = st.lists(st.tuples(st.sampled_from(ROLES), st.integers(1, 3)), min_size=1, max_size=5, unique=True)
demands = st.one_of(st.just("all"), needs)


def satisfies(file: CaseFile, verified: set[str], verify: object) -> bool:
    """The operator's demand, spelt out."""
    if verify == "all":
        return verified == set(file.roster)
    for role, need in verify.items():
        own = {key for key, each in file.roster.items() if each.role == role}
        if len(own & verified) < (len(own) if need == "all" else need):
            return False
    return True


@given(rules, rosters, demands)
def test_a_rule_that_passes_lets_nothing_through_that_the_operator_would_refuse(
    rule: Rule, people: list[tuple[str, int]], verify: object
) -> None:
    file = file_of(rule, *people)
    minimum = MinimumRules(version="1", actions={"company.change": MinimumRule(roles={}, verify=verify)})
    try:
        check_rule(file)
        check_minimum(file, ACTIONS["company.change"], minimum)
    except Invalid:
        return
    everybody = sorted(file.roster)
    for count in range(len(everybody) + 1):
        for verified in map(set, combinations(everybody, count)):
            if unmet(file, verified) is None:
                assert satisfies(file, verified, verify)


@given(rosters, demands)
def test_everybody_is_always_strict_enough(people: list[tuple[str, int]], verify: object) -> None:
    file = file_of(Rule(), *people)
    possible = satisfies(file, set(file.roster), verify)
    minimum = MinimumRules(version="1", actions={"company.change": MinimumRule(roles={}, verify=verify)})
    try:
        check_minimum(file, ACTIONS["company.change"], minimum)
    except Invalid as error:
        assert (error.code, possible) == ("rule_too_weak", False)
    else:
        assert possible


async def test_a_person_who_signs_for_an_organisation_is_its_one_holder(office: Office) -> None:
    signer = person(1, signs_for=holding().credit_code)
    file, _ = await office.case(subjects=(person(0), signer), organisations=(holding(),))
    assert len(file.roster) == 2
    assert len(file.legal_persons) == 1
