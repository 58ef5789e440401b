"""Deputies: people appointed to act for somebody else, for named actions, until a date, and revocable at any time.

An appointment keeps nothing readable of either person: hashes of their IDs, and masked forms. A deputy stands on a
roster with their own ID and face. Whether the appointment holds is asked anew at every step that is worth something,
after the step was asked for: once a revocation is acknowledged, nothing that begins later counts for the principal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import msgspec

from verify.actions import Actions
from verify.casefile import CaseFile, OnBehalfOf, Subject
from verify.clients import Client
from verify.errors import Invalid, NotFound, Refused
from verify.identifiers import Entropy, new_part
from verify.identity_documents import IdentityDocument, check_document, civil_date
from verify.masking import mask_id, mask_name
from verify.store import Place, Seen, Store
from verify.vault import Vault
from verify.wording import LONGEST_PERSON, check_text

LONGEST_APPOINTMENT_SECONDS = 5 * 366 * 86400.0
MOST_ACTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person as the client enters them, without a photo."""

    name: str
    document: IdentityDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAppointment:
    """An appointment as the client enters it; times with time zone."""

    deputy: Identity
    principal: Identity
    actions: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is kept of a person in an appointment."""

    name_masked: str
    id_masked: str
    id_hash: str
    stateless_hash: str = ""
    """Of a passport with its issuing state: what `id_hash` would be without; "" of any other document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """Who acts for whom. Times are Unix seconds by the store's clock."""

    id: str
    deputy: Known
    principal: Known
    actions: tuple[str, ...]
    valid_from: float
    valid_until: float
    appointed_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Deputies:
    """Appoints deputies, and revokes them."""

    store: Store
    vault: Vault
    entropy: Entropy

    async def appoint(self, client: Client, new: NewAppointment) -> Appointment:
        """Record an appointment.

        Raises:
            Invalid: `action_unknown`, `appointment_invalid`, `text_invalid`, `id_document_type_unknown`,
                `id_document_invalid`, `passport_state_missing`.
        """
        if not 1 <= len(set(new.actions)) <= MOST_ACTIONS:
            raise Invalid("appointment_invalid", f"an appointment is for 1 to {MOST_ACTIONS} actions")
        for action in new.actions:
            await Actions(self.store).find(client, action)
        now = await self.store.now()
        valid_from, valid_until = _times(new, now)
        appointment = Appointment(
            id=f"dep_{new_part(self.entropy)}",
            deputy=self._known(new.deputy, now),
            principal=self._known(new.principal, now),
            actions=tuple(sorted(set(new.actions))),
            valid_from=valid_from,
            valid_until=valid_until,
            appointed_at=now,
        )
        _check_two_people(appointment.deputy, appointment.principal)
        await self._keep(client, appointment)
        return appointment

    async def get(self, client: Client, appointment_id: str) -> Appointment:
        """An appointment of this client. Raises NotFound `appointment_unknown`."""
        found = await _read(self.store, client.id, appointment_id)
        if found is None:
            raise NotFound("appointment_unknown", "there is no such appointment, or it belongs to another client")
        return found

    async def revoke(self, client: Client, appointment_id: str) -> Appointment:
        """End an appointment, for good and at once; once more is no error. Raises NotFound `appointment_unknown`."""
        found = await self.get(client, appointment_id)
        if found.revoked_at is not None:
            return found
        revoked = replace(found, revoked_at=await self.store.now())
        await self._keep(client, revoked)
        return revoked

    async def find(self, client: Client, ids: Iterable[str]) -> Mapping[str, Appointment]:
        """Appointments by id. Raises NotFound `appointment_unknown`."""
        return {appointment_id: await self.get(client, appointment_id) for appointment_id in set(ids)}

    def _known(self, identity: Identity, now: float) -> Known:
        name = check_text(identity.name, field="name", longest=LONGEST_PERSON)
        document = check_document(identity.document, today=civil_date(now))
        stateless = document.stateless
        return Known(
            name_masked=mask_name(name),
            id_masked=mask_id(document.number),
            id_hash=self.vault.person_hash(document.type, document.person),
            stateless_hash="" if stateless is None else self.vault.person_hash(document.type, stateless),
        )

    async def _keep(self, client: Client, appointment: Appointment) -> None:
        content = msgspec.json.encode(appointment)
        await self.store.put_record(_kind(client.id), appointment.id, content, durable=True)


def stands_for(appointment: Appointment, *, deputy_hash: str, action: str, now: float) -> OnBehalfOf:
    """What a deputy's subject carries of the appointment.

    Raises:
        Refused: `deputy_not_appointed` if it is another's, for other actions, or does not hold now.
    """
    if appointment.deputy.id_hash != deputy_hash:
        raise _not_appointed("the appointment is another person's")
    if action not in appointment.actions:
        raise _not_appointed(f"the appointment is not for {action}")
    if appointment.revoked_at is not None or not appointment.valid_from <= now < appointment.valid_until:
        raise _not_appointed("the appointment is revoked, over, or has not begun")
    return OnBehalfOf(
        kind="deputy",
        id=appointment.id,
        name=appointment.principal.name_masked,
        principal_hash=appointment.principal.id_hash,
        principal_stateless_hash=appointment.principal.stateless_hash,
        until=appointment.valid_until,
    )


def appointments_of(file: CaseFile) -> Sequence[Place]:
    """Where the appointments behind a case's deputies are recorded."""
    present = (each.on_behalf_of for each in file.subjects.values() if not each.removed)
    ids = {behalf.id for behalf in present if behalf is not None and behalf.kind == "deputy"}
    return [(_kind(file.case.client), appointment_id) for appointment_id in sorted(ids)]


def held_among(seen: Seen) -> frozenset[str]:
    """Ids of the appointments behind a case's deputies that are not revoked, of a look beside `appointments_of`."""
    found = [_decoded(seen.records[place]) for place in appointments_of(seen.file)]
    return frozenset(each.id for each in found if each is not None and each.revoked_at is None)


async def held_appointments(store: Store, case_id: str) -> frozenset[str]:
    """Ids of the appointments behind a case's deputies that are not revoked now. Raises NotFound `case_unknown`."""
    return held_among(await store.look(case_id, beside=appointments_of))


def check_appointed(subject: Subject, held: frozenset[str], *, now: float) -> None:
    """Whether a deputy may go on. `held`: asked since the step was asked for.

    Raises:
        Refused: `deputy_not_appointed`.
    """
    behalf = subject.on_behalf_of
    if behalf is None or behalf.kind != "deputy":
        return
    if behalf.id not in held or behalf.until is None or now >= behalf.until:
        raise _not_appointed("the appointment is revoked or over")


def appointed_until(subject: Subject) -> float:
    """A deputy's verification does not outlive the appointment. Unix seconds; infinite for anybody else."""
    until = None if subject.on_behalf_of is None else subject.on_behalf_of.until
    return inf if until is None else until


def _check_two_people(deputy: Known, principal: Known) -> None:
    if deputy.id_hash == principal.id_hash:
        raise Invalid("appointment_invalid", "nobody can be their own deputy")
    if deputy.id_hash == principal.stateless_hash or principal.id_hash == deputy.stateless_hash:
        message = (
            "deputy and principal have passports with one number, and one of them without the state that issued it: "
            "give issuing_state for both"
        )
        raise Invalid("passport_state_missing", message)


def _times(new: NewAppointment, now: float) -> tuple[float, float]:
    if new.valid_from.tzinfo is None or new.valid_until.tzinfo is None:
        raise Invalid("appointment_invalid", "the times of an appointment need a time zone")
    valid_from, valid_until = new.valid_from.timestamp(), new.valid_until.timestamp()
    if not max(valid_from, now) < valid_until <= valid_from + LONGEST_APPOINTMENT_SECONDS:
        raise Invalid("appointment_invalid", "an appointment ends in the future, after it begins, within five years")
    return valid_from, valid_until


async def _read(store: Store, client_id: str, appointment_id: str) -> Appointment | None:
    return _decoded(await store.get_record(_kind(client_id), appointment_id))


def _decoded(stored: bytes | None) -> Appointment | None:
    return None if stored is None else msgspec.json.decode(stored, type=Appointment)


def _kind(client_id: str) -> str:
    return f"deputies:{client_id}"


def _not_appointed(why: str) -> Refused:
    return Refused("deputy_not_appointed", f"this person cannot act as deputy: {why}")
