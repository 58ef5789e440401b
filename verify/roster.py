"""The roster of a case: who can be on it together."""

from collections import Counter
from collections.abc import Iterator

from verify.actions import Action
from verify.amounts import check_shares
from verify.casefile import CaseFile, Organisation
from verify.errors import Invalid
from verify.minimum_rules import MinimumRules, check_minimum
from verify.rules import check_rule

MOST_SUBJECTS = 500
MOST_ENTRIES = 2 * MOST_SUBJECTS
"""Entries that a case keeps, with those that were removed."""


def check_roster(file: CaseFile, action: Action, minimum: MinimumRules) -> None:
    """Whether a case can stand with the roster that it has.

    Raises:
        Invalid: `roster_invalid`, `passport_state_missing`, `share_invalid`, `rule_invalid`, `required_role_missing`,
            `rule_too_weak`.
    """
    if not 1 <= len(file.roster) <= MOST_SUBJECTS or len(file.legal_persons) > MOST_SUBJECTS:
        raise Invalid("roster_invalid", f"a case has 1 to {MOST_SUBJECTS} subjects, and at most so many organisations")
    if len(file.subjects) + len(file.organisations) > MOST_ENTRIES:
        raise Invalid("roster_invalid", f"a case keeps {MOST_ENTRIES} entries with those removed: open a new one")
    _check_passports(file)
    _check_nobody_twice(file)
    _check_signatories(file)
    shares = (
        *(subject.share_percent for subject in file.roster.values()),
        *(organisation.share_percent for organisation in file.legal_persons.values()),
    )
    check_shares(share for share in shares if share is not None)
    check_rule(file)
    check_minimum(file, action, minimum)


def find_organisation(file: CaseFile, credit_code: str) -> Organisation:
    """The organisation of the roster that has a credit code. Raises Invalid `roster_invalid`."""
    found = [each for each in file.legal_persons.values() if each.credit_code == credit_code]
    if not found:
        raise Invalid("roster_invalid", "signs_for names the credit code of no organisation on the roster")
    return found[0]


def _check_passports(file: CaseFile) -> None:
    """One number with its issuing state and without may be one person's or two people's: nobody can tell."""
    people = tuple(_identities(file))
    who = {id_hash: named for named, id_hash, _ in people if id_hash}
    for named, _, stateless_hash in people:
        bare = who.get(stateless_hash)
        if bare is not None:
            message = (
                f"{bare} of the roster has a passport without the state that issued it, and {named} one with its "
                "state and the same number: give issuing_state for both, also if they are one person"
            )
            raise Invalid("passport_state_missing", message)


def _identities(file: CaseFile) -> Iterator[tuple[str, str, str]]:
    """Of all on the roster, and of whom deputies stand for: what to call them, `id_hash`, `stateless_hash`."""
    for place, each in enumerate(file.roster.values(), start=1):
        yield f"person {place}", each.id_hash, each.stateless_hash
        behalf = each.on_behalf_of
        if behalf is not None and behalf.principal_hash is not None:
            yield f"the principal of person {place}", behalf.principal_hash, behalf.principal_stateless_hash


def _check_nobody_twice(file: CaseFile) -> None:
    """One person may stand in several roles, and for several others; not twice as the same."""
    people = Counter(
        (each.person, each.role, each.on_behalf_of and each.on_behalf_of.id) for each in file.roster.values()
    )
    stood_for = {(each.on_behalf_of.principal_hash, each.role) for each in file.roster.values() if each.on_behalf_of}
    if any((each.person, each.role) in stood_for for each in file.roster.values() if each.on_behalf_of is None):
        raise Invalid("roster_invalid", "a person is on the roster both in person and by a deputy in one role")
    organisations = Counter(each.credit_code for each in file.legal_persons.values())
    if any(count > 1 for count in (*people.values(), *organisations.values())):
        raise Invalid("roster_invalid", "a person is on the roster twice in one role, or an organisation twice")


def _check_signatories(file: CaseFile) -> None:
    """Who signs for an organisation has its role; the share is the organisation's."""
    for subject in file.roster.values():
        if subject.on_behalf_of is None or subject.on_behalf_of.kind != "organisation":
            continue
        if find_organisation(file, subject.on_behalf_of.id).role != subject.role:
            raise Invalid("roster_invalid", "who signs for an organisation has the organisation's role")
        if subject.share_percent is not None:
            raise Invalid("roster_invalid", "a share belongs to the organisation, not to who signs for it")
