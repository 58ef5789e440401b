"""Marks of keys, kept in the store that they belong to: keys that were lost, or are another store's, are found out.

A mark tells nothing of a secret: it is a one-way function of 32 random bytes, the public id of a key, or a shelf's
random name. Of a ring all keys count that have begun to sign: it grows when a key is replaced, and one that lacks a key
of before is an old copy.
"""

import asyncio
import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from verify.audit import Event
from verify.checkpoints import check_checkpoint
from verify.errors import Conflict, Invalid, Unavailable
from verify.identifiers import Entropy, new_part
from verify.jose import VerifyingKey
from verify.operators import OPERATORS_CHAIN
from verify.schema import forms_of
from verify.shelf import ShelfFile, shelf_name
from verify.signing import (
    OWN_AUDITOR,
    PURPOSES,
    SECRETS,
    SHELF,
    RingFile,
    make_keys,
    read_auditor_key,
    read_rings,
    read_secret,
)
from verify.store import Store

Marks = Mapping[str, frozenset[str]]
"""By the name of a file; without any if the file cannot be told from another (an older form of it)."""

NEEDED = (*(f"{purpose}.ring" for purpose in PURPOSES), *SECRETS, SHELF)
"""Files without which a store that was used is of no use."""

NEW = frozenset({""})
"""Of a shelf that has no name yet, and holds nothing."""

_KIND, _NAME = "key_marks", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMarks:
    """Compares the keys in a data directory with those that a store knows.

    `own_auditor`: scores are sealed for a key that lies beside the others, and not for an auditor's own.
    """

    store: Store
    data_dir: Path
    own_auditor: bool

    async def require_own(self, *, now: float) -> bool:
        """Look, and write nothing; whether the store knows its keys. Raises Unavailable `keys_foreign`."""
        known, found = await self._compared(now=now)
        self._require_none(await self._wrong(known, found))
        return bool(known)

    async def settle(self, *, entropy: Entropy, now: float) -> None:
        """Let the store know these keys, if it knows none, and those that have begun to sign since.

        Of processes that do so at the same time the first one counts.

        Raises:
            Unavailable: `keys_foreign`.
        """
        known, found = await self._compared(now=now)
        self._require_none(await self._wrong(known, found))
        if found.get(SHELF) in {frozenset(), NEW}:
            (name,) = known.get(SHELF) or {new_part(entropy)}
            found = {**found, SHELF: frozenset({await asyncio.to_thread(self._name_shelf, name)})}
        if not known:
            known = _decode(await self.store.add_record(_KIND, _NAME, _encode(found)))
            self._require_none(await self._wrong(known, found))
        if _grown(known, found) != known:
            await self.store.change_record(_KIND, _NAME, lambda stored: _encode(_grown(_decode(stored), found)))

    async def begin_anew(self, published: Sequence[VerifyingKey], *, entropy: Entropy, now: float) -> Sequence[str]:
        """Go on with the keys that are there, and new ones for those that are not; which files were wrong.

        What was sealed with keys that are gone can never be opened again. A new epoch begins.

        Args:
            published: public keys that somebody has kept: those that the store knows go on to verify.
            entropy: for new keys.
            now: Unix seconds.

        Raises:
            Conflict: `store_in_use`. Invalid: `jwks_invalid` if nobody could check the newest checkpoint any more.
            Unavailable: repeat it.
        """
        known, found = await self._compared(now=now)
        wrong = tuple(await self._wrong(known, found))
        if not wrong:
            return ()
        await self._require_alone()
        kept = {purpose: _known_of(published, known, purpose) for purpose in PURPOSES}
        await self._require_checkable(kept["checkpoint"])
        make_keys(self.data_dir, entropy=entropy, own_auditor=self.own_auditor)
        for purpose, ring in read_rings(self.data_dir).items():
            ring.retain(kept[purpose])
        self._name_shelf(new_part(entropy))
        lost = Event(name="keys.lost", actor="service", details={"files": wrong})
        await self.store.append(OPERATORS_CHAIN, lost, kind="live:keys.lost")
        await self.store.bump_epoch()
        new = await asyncio.to_thread(marks_on_disk, self.data_dir, own_auditor=self.own_auditor, now=now)
        await self.store.put_record(_KIND, _NAME, _encode({**known, **new}), durable=True)
        return wrong

    async def _compared(self, *, now: float) -> tuple[Marks, Marks]:
        """The marks of the store's own keys, none before its first start; and those of the keys that are here."""
        stored = await self.store.get_record(_KIND, _NAME)
        found = await asyncio.to_thread(marks_on_disk, self.data_dir, own_auditor=self.own_auditor, now=now)
        return ({} if stored is None else _decode(stored)), found

    async def _wrong(self, known: Marks, found: Marks) -> Mapping[str, str]:
        """What is wrong with which file. A store of before there were marks was used if there is something in it."""
        if known:
            needed = [name for name in known if name != OWN_AUDITOR or self.own_auditor]
        else:
            needed = list(NEEDED if await _was_used(self.store) else ())
        lost = {name: "missing" for name in needed if name not in found}
        others = {name: "another" for name in needed if found.get(name) and not known.get(name, set()) <= found[name]}
        return {**lost, **others}

    def _name_shelf(self, name: str) -> str:
        return ShelfFile(self.data_dir / "keys" / SHELF).take_name(name)

    def _require_none(self, wrong: Mapping[str, str]) -> None:
        if wrong:
            message = (
                f"these are not the keys of this store ({', '.join(f'{name}: {what}' for name, what in wrong.items())})"
                ": restore keys/ from your backup of keys; only if they are lost for good, heyan store keys-lost goes "
                "on with new ones (docs/deploy.md)"
            )
            raise Unavailable("keys_foreign", message, advice=f"{self.data_dir / 'keys'}: {message}")

    async def _require_alone(self) -> None:
        """A service that still runs may hold the keys in its memory."""
        processes = (await forms_of(self.store)).processes
        if processes:
            named = " ".join(each.name for each in processes)
            message = f"these processes use the store: {named}; stop them, wait for half a minute, and repeat this"
            raise Conflict("store_in_use", message)

    async def _require_checkable(self, kept: Sequence[VerifyingKey]) -> None:
        """The next checkpoint continues the newest one, which is looked at before."""
        newest, path = (await self.store.ledger.state()).newest, self.data_dir / "keys" / "checkpoint.ring"
        own = RingFile(path, "checkpoint").ring.published() if path.exists() else ()
        if newest:
            try:
                check_checkpoint(newest, expected_keys=(*own, *kept))
            except Invalid:
                message = (
                    "the key that signed checkpoints is lost, and the next one must continue them: give published keys "
                    "that somebody has kept (what /.well-known/jwks.json answered) with --jwks"
                )
                raise Invalid("jwks_invalid", message) from None


def marks_on_disk(data_dir: Path, *, own_auditor: bool, now: float) -> Marks:
    """Of the keys that are there. Raises Unavailable `key_damaged`."""
    return dict(_marked(data_dir / "keys", own_auditor=own_auditor, now=now))


def _marked(folder: Path, *, own_auditor: bool, now: float) -> Iterator[tuple[str, frozenset[str]]]:
    for purpose in PURPOSES:
        if (path := folder / f"{purpose}.ring").exists():
            ring = RingFile(path, purpose).ring
            yield path.name, frozenset(key.public.kid for key in ring.keys if key.signs_from <= now)
    for name in SECRETS:
        if (path := folder / name).exists():
            yield name, frozenset({_one_way(name, read_secret(path))})
    if (path := folder / SHELF).exists():
        yield SHELF, _of_shelf(*shelf_name(path))
    if own_auditor and (path := folder / OWN_AUDITOR).exists():
        yield OWN_AUDITOR, frozenset({read_auditor_key(path, private=False).kid})


def _of_shelf(name: str | None, holds_something: bool) -> frozenset[str]:
    """One of before there were names that holds something may be any store's; an empty one is a new one."""
    if name is None:
        return frozenset() if holds_something else NEW
    return frozenset({name})


def _one_way(name: str, secret: bytes) -> str:
    return hmac.new(secret, f"heyan mark of {name}".encode(), sha256).hexdigest()


def _grown(known: Marks, found: Marks) -> Marks:
    return {name: known.get(name, frozenset()) | found.get(name, frozenset()) for name in {*known, *found}}


def _known_of(published: Sequence[VerifyingKey], known: Marks, purpose: str) -> Sequence[VerifyingKey]:
    """Those that the store knows; of a store without marks those of the purpose."""
    kids: Collection[str] = known.get(f"{purpose}.ring", frozenset())
    return [key for key in published if key.purpose == purpose and (not known or key.kid in kids)]


async def _was_used(store: Store) -> bool:
    """Whether there is a case in it, or anything else under an audit chain."""
    return bool((await store.ledger.state()).size or await store.ledger.marked(limit=1))


def _encode(marks: Marks) -> bytes:
    return msgspec.json.encode({name: sorted(marks[name]) for name in sorted(marks)})


def _decode(content: bytes) -> Marks:
    return msgspec.json.decode(content, type=dict[str, frozenset[str]])
