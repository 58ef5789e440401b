"""What filings do. The statutory actions are built in; a client registers its own, with roles and words of its own.

A client's action is named `client.…`, so that it can never pass for a statutory one, and cannot be changed once it is
registered: what people confirmed in its words stays what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from re import fullmatch

import msgspec

from verify.casefile import Words
from verify.clients import Client
from verify.errors import Conflict, Invalid
from verify.store import Store
from verify.wording import check_text

ROLES: Mapping[str, Words] = {
    "shareholder": ("股东", "shareholder"),
    "legal_representative": ("法定代表人", "legal representative"),
    "director": ("董事", "director"),
    "supervisor": ("监事", "supervisor"),
    "finance_head": ("财务负责人", "head of finance"),
    "agent": ("代理人", "agent"),
}
"""Role → Chinese and English words."""

MOST_ACTIONS = 200
"""Actions that one client may register."""
MOST_ROLES = 20
LONGEST_WORDS = 60
LONGEST_ROLE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One kind of filing. `roles`: those that the client has defined for it, beside `ROLES`."""

    name: str
    zh: str
    en: str
    statutory: bool = False
    roles: Mapping[str, Words] = field(default_factory=dict)
    required: Mapping[str, int] = field(default_factory=dict)
    """Least number of holders by role; a statutory action's are in the operator's minimum rules."""


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


@dataclass(frozen=True, slots=True)
class Actions:
    """Registers clients' actions and finds any."""

    store: Store

    async def register(self, client: Client, action: Action) -> Action:
        """Register an action of this client; the very same again is no error.

        Raises:
            Invalid: `action_invalid`, `text_invalid`. Conflict: `action_exists` with other words or roles,
            `actions_exhausted`.
        """
        checked = _checked(action)
        own = await self.store.records(_kind(client))
        if checked.name not in own and len(own) >= MOST_ACTIONS:
            raise Conflict("actions_exhausted", f"a client registers at most {MOST_ACTIONS} actions")
        stored = await self.store.add_record(_kind(client), checked.name, msgspec.json.encode(checked))
        if _read(stored) != checked:
            raise Conflict("action_exists", "this action is registered with other words or roles: choose another name")
        return checked

    async def list(self, client: Client) -> tuple[Action, ...]:
        """The statutory actions, and this client's by name."""
        own = await self.store.records(_kind(client))
        return (*ACTIONS.values(), *(_read(own[name]) for name in sorted(own)))

    async def find(self, client: Client, name: str) -> Action:
        """Raises Invalid `action_unknown`."""
        if name in ACTIONS:
            return ACTIONS[name]
        stored = await self.store.get_record(_kind(client), name)
        if stored is None:
            known = ", ".join(ACTIONS)
            raise Invalid("action_unknown", f"no action has that name; choose one of {known}, or register it")
        return _read(stored)


def role_words(action: Action, role: str) -> Words:
    """The words of a role in an action. Raises Invalid `roster_invalid`."""
    known = {**ROLES, **action.roles}
    if role not in known:
        raise Invalid("roster_invalid", f"{action.name} has no such role; choose one of {', '.join(known)}")
    return known[role]


def _checked(action: Action) -> Action:
    if not fullmatch(r"client(?:\.[a-z][a-z0-9_]{0,31}){1,4}", action.name) or len(action.name) > 64:  # noqa: PLR2004
        raise Invalid("action_invalid", "an action of a client is named client.…, such as client.pledge.register")
    if len(action.roles) > MOST_ROLES:
        raise Invalid("action_invalid", f"an action defines at most {MOST_ROLES} roles")
    roles = {name: _checked_role(name, words) for name, words in sorted(action.roles.items())}
    unknown = [role for role in action.required if role not in {**ROLES, **roles}]
    if unknown or any(not 1 <= count <= 500 for count in action.required.values()):  # noqa: PLR2004
        raise Invalid(
            "action_invalid", "required roles are roles of the action, each with a least number from 1 to 500"
        )
    return Action(
        name=action.name,
        zh=check_text(action.zh, field="zh", longest=LONGEST_WORDS),
        en=check_text(action.en, field="en", longest=LONGEST_WORDS),
        roles=roles,
        required=dict(sorted(action.required.items())),
    )


def _checked_role(name: str, words: Words) -> Words:
    if not fullmatch("[a-z][a-z0-9_]{0,31}", name) or name in ROLES:
        raise Invalid("action_invalid", "a role of a client has a lower-case name that no statutory role has")
    zh, en = (check_text(text, field=f"roles.{name}", longest=LONGEST_ROLE) for text in words)
    return zh, en


def _kind(client: Client) -> str:
    return f"actions:{client.id}"


def _read(stored: bytes) -> Action:
    return msgspec.json.decode(stored, type=Action)
