"""What filings do. The statutory ones are built in."""

from collections.abc import Mapping
from dataclasses import dataclass

from verify.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One kind of filing."""

    name: str
    zh: str
    en: str
    statutory: bool


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(name="company.establish", zh="设立公司", en="establish a company", statutory=True),
        Action(name="capital.increase", zh="增加注册资本", en="increase the registered capital", statutory=True),
        Action(name="share.transfer", zh="转让股权", en="transfer shares", statutory=True),
        Action(name="company.change", zh="变更公司登记事项", en="change the company's registration", statutory=True),
        Action(name="company.cancel", zh="注销公司", en="cancel the company", statutory=True),
    )
}

ROLES: Mapping[str, tuple[str, str]] = {
    "shareholder": ("股东", "shareholder"),
    "legal_representative": ("法定代表人", "legal representative"),
    "director": ("董事", "director"),
    "supervisor": ("监事", "supervisor"),
    "finance_head": ("财务负责人", "head of finance"),
    "agent": ("代理人", "agent"),
}
"""Role → Chinese and English words."""


def find_action(name: str) -> Action:
    """Raises Invalid `action_unknown`."""
    if name not in ACTIONS:
        raise Invalid("action_unknown", f"no action is named {name!r}; choose one of {', '.join(ACTIONS)}")
    return ACTIONS[name]


def check_role(name: str) -> str:
    """Raises Invalid `roster_invalid`."""
    if name not in ROLES:
        raise Invalid("roster_invalid", f"no role is named {name!r}; choose one of {', '.join(ROLES)}")
    return name
