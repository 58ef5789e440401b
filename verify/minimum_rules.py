"""Minimum rules: what a statutory filing needs at the least. Only the operator sets them; a case may be stricter."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from verify.actions import ACTIONS, ROLES, Action
from verify.casefile import CaseFile, Need
from verify.errors import Invalid
from verify.rules import guaranteed, holders


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumRule:
    """Of one action: least number of holders by role, and who must verify."""

    roles: Mapping[str, int] = field(default_factory=dict)
    verify: Literal["all"] | Mapping[str, Need]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumRules:
    """Of all statutory actions, under one version."""

    version: str
    actions: Mapping[str, MinimumRule]

    def rule_of(self, action: Action) -> MinimumRule:
        """What an action needs: by the operator if it is statutory, else the roles that its client requires."""
        return self.actions[action.name] if action.statutory else MinimumRule(roles=action.required, verify={})


def load_minimum_rules(path: Path | None = None) -> MinimumRules:
    """The operator's minimum rules, or those that heyan ships.

    Raises:
        Invalid: `minimum_rules_invalid` for a file that cannot be read, leaves out a statutory action, or names an
            action or role that does not exist.
    """
    try:
        text = (path or files("verify").joinpath("minimum_rules.toml")).read_text("utf-8")
        rules = msgspec.convert(tomllib.loads(text), MinimumRules, strict=True)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _invalid(str(error)) from error
    if set(rules.actions) != set(ACTIONS):
        raise _invalid(f"it needs exactly the actions {', '.join(ACTIONS)}")
    for name, rule in rules.actions.items():
        _check(name, rule)
    return rules


def check_minimum(file: CaseFile, action: Action, rules: MinimumRules) -> None:
    """Whether a roster has the roles that its action requires, under a rule that is strict enough.

    Raises:
        Invalid: `required_role_missing`, `rule_too_weak`.
    """
    minimum = rules.rule_of(action)
    for role, least in minimum.roles.items():
        if holders(file, role) < least:
            raise Invalid("required_role_missing", f"{action.name} needs at least {least} with the role {role}")
    _check_strict_enough(file, minimum)


def _check_strict_enough(file: CaseFile, minimum: MinimumRule) -> None:
    present = {subject.role for subject in file.roster.values()}
    everybody: Mapping[str, Need] = dict.fromkeys(sorted(present), "all")
    for role, need in (minimum.verify if isinstance(minimum.verify, Mapping) else everybody).items():
        least = need if isinstance(need, int) else sum(subject.role == role for subject in file.roster.values())
        if guaranteed(file.case.rule, file, role) < least:
            who = "everybody" if need == "all" else f"at least {need}"
            message = (
                f"{file.case.action} needs {who} with the role {role} to verify; a case's rule may only be stricter"
            )
            raise Invalid("rule_too_weak", message)


def _check(name: str, rule: MinimumRule) -> None:
    needs: Mapping[str, Need] = rule.verify if isinstance(rule.verify, Mapping) else {}
    unknown = sorted(role for role in (*rule.roles, *needs) if role not in ROLES)
    if unknown:
        raise _invalid(f"{name} names no role {', '.join(unknown)}")
    numbers: list[Need] = [*rule.roles.values(), *needs.values()]
    if any(isinstance(number, int) and number < 1 for number in numbers):
        raise _invalid(f"{name} has a number below 1")
    if not rule.roles or not rule.verify:
        raise _invalid(f"{name} asks for nobody")


def _invalid(detail: str) -> Invalid:
    return Invalid("minimum_rules_invalid", f"the minimum rules cannot be used, mend HEYAN_MINIMUM_RULES: {detail}")
