"""Operators: who may look into the service through the console, known by keys of their own.

A key opens a session of the console, for an hour. Sign-ins, and every look at a case or into the audit, are entries of
an audit chain of their own, which checkpoints cover: who looked at what cannot be taken back either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from re import fullmatch
from typing import Literal, get_args

import msgspec

from verify.audit import Detail, Event
from verify.connection import Script
from verify.errors import Invalid, Limited, NotFound, Refused
from verify.identifiers import Entropy, hash_secret, new_part, new_secret
from verify.store import Store

OperatorRole = Literal["viewer", "auditor"]
"""`viewer`: counts, latency, states, masked cases. `auditor`: also the audit, and verifying its chains."""

SESSION_SECONDS = 3600

WRONG_KEYS = 10
WRONG_SECONDS = 60
"""So many keys may be tried from one address in so many seconds: keys cannot be guessed, this keeps it quiet."""

OPERATORS_CHAIN = "operators"
"""In place of a case's id: the audit chain of what operators did."""

_KIND = "operators"

TRY = Script.of("""
local tried = redis.call('INCR', KEYS[1])
if tried == 1 then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
if tried > tonumber(ARGV[1]) then
    return tostring(redis.call('PTTL', KEYS[1]) / 1000)
end
return '0'
""")
"""Counts before the key is looked at, so that many side by side are counted one by one."""
FORGET = Script.of("redis.call('DEL', KEYS[1]) return 'done'")
BEGIN = Script.of("redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) return 'done'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One person who runs the service, or audits it."""

    id: str
    name: str
    role: OperatorRole
    created_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSession:
    """An operator who is signed in. Times are Unix seconds by the store's clock."""

    operator: Operator
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    key_hash: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Operators:
    """Makes operators' keys and finds who holds one. Only hashes are kept, of keys and of sessions."""

    store: Store
    entropy: Entropy

    async def create(self, name: str, *, role: str) -> tuple[Operator, str]:
        """A new operator and their key, which is shown this once.

        Raises:
            Invalid: `operator_name_invalid`, `operator_role_unknown`.
        """
        if not fullmatch(r"[\w .-]{1,64}", name):
            message = "an operator's name has 1 to 64 letters, digits, spaces, '.', '-' or '_'"
            raise Invalid("operator_name_invalid", message)
        if role not in get_args(OperatorRole):
            message = f"no role is named {role!r}; choose {' or '.join(get_args(OperatorRole))}"
            raise Invalid("operator_role_unknown", message)
        secret = f"hk_operator_{new_secret(self.entropy)}"
        now = await self.store.now()
        made = msgspec.convert(
            {"id": f"opr_{new_part(self.entropy)}", "name": name, "role": role, "created_at": now}, Operator
        )
        await self.store.put_record(_KIND, hash_secret(secret), msgspec.json.encode(made))
        return made, secret

    async def list(self) -> tuple[Operator, ...]:
        """All operators, oldest first."""
        found = (await self.store.records(_KIND)).values()
        operators = [msgspec.json.decode(content, type=Operator) for content in found]
        return tuple(sorted(operators, key=lambda operator: operator.created_at))

    async def revoke(self, operator_id: str) -> Operator:
        """Make an operator's key useless, and end their sessions. Raises NotFound `operator_unknown`."""
        for name, content in (await self.store.records(_KIND)).items():
            if msgspec.json.decode(content, type=Operator).id == operator_id:
                stored = await self.store.change_record(_KIND, name, _revoked)
                if stored is not None:
                    return msgspec.json.decode(stored, type=Operator)
        raise NotFound("operator_unknown", f"no operator has the id {operator_id!r}; `heyan operators list` shows them")

    async def holder(self, key: str, *, expected: str) -> Operator:
        """The operator of a key, who must be the one that was named (by id). Raises Refused `operator_key_invalid`."""
        operator = await self._of(hash_secret(key))
        if operator is None or operator.id != expected:
            message = f"this is not the key of the operator {expected!r}, or it was revoked: heyan operators list"
            raise Refused("operator_key_invalid", message)
        return operator

    async def sign_in(self, key: str, *, address: str) -> str:
        """Begin a session; its secret. `address`: where the key came from.

        Raises:
            Refused: `operator_key_invalid`, whatever is wrong with the key. Limited: `keys_too_fast`, before the key is
            looked at.
        """
        tried = _tried(address)
        left = float(await self.store.run(TRY, [tried], [WRONG_KEYS, WRONG_SECONDS]))
        if left > 0:
            raise Limited("keys_too_fast", "too many keys were tried: wait for Retry-After", retry_after=left)
        operator = await self._of(hash_secret(key))
        if operator is None:
            raise Refused("operator_key_invalid", "this is no operator's key; one is made by `heyan operators create`")
        await self.record(operator, "operator.signed_in", {"role": operator.role})
        secret = new_secret(self.entropy)
        stored = _Stored(key_hash=hash_secret(key), ends_at=await self.store.now() + SESSION_SECONDS)
        await self.store.run(BEGIN, [_session(secret)], [msgspec.json.encode(stored), SESSION_SECONDS])
        await self.store.run(FORGET, [tried], [])
        return secret

    async def session(self, secret: str) -> ConsoleSession | None:
        """Who is signed in; None if the session is over or unknown, or the operator's key was revoked since."""
        content = await self.store.ask("GET", _session(secret))
        if content is None:
            return None
        stored = msgspec.json.decode(content, type=_Stored)
        operator = await self._of(stored.key_hash)
        if operator is None or stored.ends_at <= await self.store.now():
            return None
        return ConsoleSession(operator=operator, ends_at=stored.ends_at)

    async def sign_out(self, secret: str) -> None:
        """End a session, at once and for good."""
        session = await self.session(secret)
        await self.store.run(FORGET, [_session(secret)], [])
        if session is not None:
            await self.record(session.operator, "operator.signed_out", {})

    async def record(self, operator: Operator, event: str, details: Mapping[str, Detail]) -> None:
        """Note in the operators' chain what an operator does. Without the note it must not be done.

        Raises:
            StoreUnavailable, StoreBusy: it may not have been noted.
        """
        done = Event(name=event, actor=f"operator:{operator.id}", details=details)
        await self.store.append(OPERATORS_CHAIN, done, kind=f"live:{event}")

    async def _of(self, key_hash: str) -> Operator | None:
        found = await self.store.get_record(_KIND, key_hash)
        operator = msgspec.json.decode(found, type=Operator) if found is not None else None
        return None if operator is None or operator.revoked else operator


def _revoked(stored: bytes) -> bytes:
    return msgspec.json.encode(replace(msgspec.json.decode(stored, type=Operator), revoked=True))


def _session(secret: str) -> str:
    return f"console:session:{hash_secret(secret)}"


def _tried(address: str) -> str:
    return f"console:tried:{sha256(address.encode()).hexdigest()}"
