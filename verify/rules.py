"""The rule of a case: whose verifications are enough.

`k` counts natural persons: one person who stands in several roles counts once. "Everybody" means every subject, in
every role. An organisation needs somebody who signs for it, whatever the rule.
"""

from collections.abc import Collection, Iterable

from verify.casefile import CaseFile, Need, Rule, Subject
from verify.errors import Invalid


def check_rule(file: CaseFile) -> None:
    """Whether the roster can ever meet the case's rule. Raises Invalid `rule_invalid`."""
    rule = file.case.rule
    if rule.kind != "k_of_n" and rule.k is not None:
        raise Invalid("rule_invalid", f"the rule {rule.kind!r} takes no k")
    if rule.kind != "per_role" and rule.roles:
        raise Invalid("rule_invalid", f"the rule {rule.kind!r} takes no roles")
    if rule.kind == "k_of_n":
        _check_k(rule, _persons(file.roster.values()))
    if rule.kind == "per_role":
        _check_roles(file)


def unmet(file: CaseFile, subjects: Collection[str]) -> str | None:
    """What the rule still lacks if these subjects (ids) are redeemed, in words; None if it holds."""
    rule, roster = file.case.rule, file.roster
    present = [subject for key, subject in roster.items() if key in subjects]
    if not all_signed(file):
        return "somebody must sign for every organisation of the roster"
    match rule.kind:
        case "all":
            lacking = len(roster) - len(present)
            return f"everybody must verify; {lacking} are missing" if lacking or not present else None
        case "k_of_n":
            least = rule.k or len(roster)
            found = _persons(present)
            return f"{least} different people are needed; there are {found}" if found < least else None
        case "per_role":
            return next((lack for role, need in rule.roles.items() if (lack := _lack(file, role, need, present))), None)


def guaranteed(rule: Rule, file: CaseFile, role: str) -> int:
    """How many subjects of a role every set of people has at the least that meets a rule."""
    in_role = _in_role(file.roster.values(), role)
    match rule.kind:
        case "all":
            return len(in_role)
        case "per_role":
            need = rule.roles.get(role, 0)
            return len(in_role) if need == "all" else need
        case "k_of_n":
            elsewhere = [subject for subject in file.roster.values() if subject.role != role]
            return max(0, (rule.k or 0) - _persons(elsewhere))


def all_signed(file: CaseFile) -> bool:
    """Whether every organisation of the roster has somebody who signs for it."""
    organisations = file.legal_persons
    signed = {each.on_behalf_of.id for each in file.roster.values() if each.on_behalf_of} if organisations else set()
    return all(organisation.credit_code in signed for organisation in organisations.values())


def holders(file: CaseFile, role: str) -> int:
    """How many hold a role; several people who sign for one organisation are one holder."""
    return len({_holder(subject) for subject in _in_role(file.roster.values(), role)})


def _check_k(rule: Rule, people: int) -> None:
    if not (rule.k is not None and 1 <= rule.k <= people):
        raise Invalid("rule_invalid", f"the rule 'k_of_n' needs a k from 1 to {people}, the number of different people")


def _check_roles(file: CaseFile) -> None:
    if not file.case.rule.roles:
        raise Invalid("rule_invalid", "the rule 'per_role' needs at least one role with 'all' or a number")
    for role, need in file.case.rule.roles.items():
        people = _persons(_in_role(file.roster.values(), role))
        if not people or (need != "all" and not 1 <= need <= people):
            raise Invalid("rule_invalid", f"{role}: 'all', or a number from 1 to the {people} people who have the role")


def _lack(file: CaseFile, role: str, need: Need, present: Iterable[Subject]) -> str | None:
    found = _in_role(present, role)
    if need == "all":
        lacking = len(_in_role(file.roster.values(), role)) - len(found)
        return f"everybody with the role {role} must verify; {lacking} are missing" if lacking else None
    people = _persons(found)
    return f"{need} people with the role {role} are needed; there are {people}" if people < need else None


def _in_role(subjects: Iterable[Subject], role: str) -> list[Subject]:
    return [subject for subject in subjects if subject.role == role]


def _persons(subjects: Iterable[Subject]) -> int:
    return len({subject.person for subject in subjects})


def _holder(subject: Subject) -> str:
    stands_for = subject.on_behalf_of
    return stands_for.id if stands_for is not None and stands_for.kind == "organisation" else subject.id
