"""Cases: opening one with its roster, looking at it, cancelling it."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from verify.actions import Action, Actions
from verify.audit import Event
from verify.casefile import (
    NO_DETAILS,
    Case,
    CaseFile,
    CaseState,
    Details,
    Invite,
    InviteState,
    Rule,
    Subject,
    Verification,
    VerificationState,
)
from verify.clients import Client
from verify.deputies import Deputies
from verify.details import check_details
from verify.enrolment import Enrolment, NewOrganisation, NewSubject
from verify.errors import Conflict, Invalid, NotFound
from verify.identifiers import Entropy, case_of, new_part
from verify.messages import without_moot
from verify.minimum_rules import MinimumRules, load_minimum_rules
from verify.photos import Allowance, Runner, one_by_one
from verify.progress import Progress, progress
from verify.references import blob_name
from verify.roster import check_roster
from verify.rules import all_signed, unmet
from verify.standing import Standing, standing
from verify.store import Change, Store
from verify.vault import Vault

DEFAULT_DEADLINE_SECONDS = 30 * 86400.0
LONGEST_DEADLINE_SECONDS = 365 * 86400.0

EVERYBODY = Rule()
MOST_FOUND = 100
"""Cases that are looked at for one number of a client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A filing as the client enters it. `document_sha256`: 64 lower-case hexadecimal characters."""

    action: str
    document_sha256: str
    subjects: tuple[NewSubject, ...]
    organisations: tuple[NewOrganisation, ...] = ()
    rule: Rule = EVERYBODY
    details: Details = NO_DETAILS
    external_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    deadline: datetime | None = None
    """With time zone; 30 days from now if missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case at one moment: `file` as stored, and what follows from the time."""

    file: CaseFile
    state: CaseState
    reason: str | None
    """Why it has ended; None while it is open."""
    standings: Mapping[str, Standing]
    """By subject id."""
    progress: Mapping[str, Progress]
    """By subject id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Opens and finds cases.

    `allow_client_upload`: whether statutory actions may rest on a client's own upload. `authority`: whether photos can
    be fetched from one; in test mode they are simulated. `in_turns`: where photos are looked at.
    """

    store: Store
    vault: Vault
    entropy: Entropy
    allow_client_upload: bool = False
    authority: bool = False
    minimum: MinimumRules = field(default_factory=load_minimum_rules)
    in_turns: Runner = one_by_one

    @property
    def actions(self) -> Actions:
        """The actions that cases can be opened for."""
        return Actions(self.store)

    @property
    def deputies(self) -> Deputies:
        """Who is appointed to act for whom."""
        return Deputies(self.store, self.vault, self.entropy)

    async def enrolment(self, client: Client, people: Iterable[NewSubject]) -> Enrolment:
        """How these people get on a roster. Raises NotFound `appointment_unknown`."""
        ids = (each.appointment for each in people if each.appointment is not None)
        appointments = await self.deputies.find(client, ids)
        authority = self.authority or client.mode == "test"
        return Enrolment(self.vault, self.entropy, self.allow_client_upload, authority, appointments)

    async def check_photos(
        self, client: Client, people: Iterable[NewSubject], allowance: Allowance | None = None
    ) -> None:
        """Whether each photo that came can be read whole, and all have few enough pixels.

        Raises:
            As `Allowance.check`, and what `in_turns` refuses.
        """
        allowance = Allowance() if allowance is None else allowance
        photos = [each.photo for each in people if each.photo is not None]
        await self.in_turns(client.id, [partial(allowance.check, photo) for photo in photos])

    async def open(self, client: Client, new: NewCase, *, allowance: Allowance | None = None) -> CaseView:
        """Open a case. `allowance`: of the request, if it opens more than one.

        Raises:
            Invalid, Refused: `action_unknown`, `deadline_invalid`, `amount_invalid`; what `Enrolment.subject` and
                `check_roster` refuse.
            NotFound: `appointment_unknown`.
            As `check_photos`, before anything is stored.
            StoreUnavailable: nothing was opened.
        """
        action = await self.actions.find(client, new.action)
        await self.check_photos(client, new.subjects, allowance)
        now = await self.store.now()
        enrolment = await self.enrolment(client, new.subjects)
        file, blobs = _enrolled(enrolment, CaseFile(case=self._case(client, action, new, now)), action, new, now)
        check_roster(file, action, self.minimum)
        if not all_signed(file):
            raise Invalid("roster_invalid", "an organisation needs a person who signs for it: name it in signs_for")
        event = Event(
            name="case.opened",
            actor=f"client:{client.id}",
            details={"subjects": tuple(file.subjects), "minimum_rules": self.minimum.version},
        )
        await self.index(client, file.case.external_id, file.case)
        created = await self.store.create(file, event, blobs=blobs, at=now)
        return case_view(created, now=now, epoch=0)

    async def get(self, client: Client, case_id: str) -> CaseView:
        """A case of this client, as it stands now. Raises NotFound `case_unknown`."""
        file, now = await self.store.load(known_case(case_id))
        check_owner(file, client)
        return case_view(file, now=now, epoch=await self.store.epoch())

    async def find(self, client: Client, external_id: str) -> tuple[CaseView, ...]:
        """This client's cases under a number of its own, newest first, at most `MOST_FOUND`."""
        found = list[CaseView]()
        for case_id in await self.store.indexed("external", _external(client, external_id), most=MOST_FOUND):
            with suppress(NotFound):
                found.append(await self.get(client, case_id))
        return tuple(view for view in found if view.file.case.external_id == external_id)

    async def index(self, client: Client, external_id: str | None, case: Case) -> None:
        """Make a case findable under a number; to be done before the case carries it."""
        if external_id is not None:
            await self.store.index("external", _external(client, external_id), case.id, at=case.opened_at)

    async def cancel(self, client: Client, case_id: str, reason: str) -> CaseView:
        """Cancel an open case; what was verified for it is void.

        Raises:
            NotFound: `case_unknown`. Conflict: `case_not_open`.
        """
        epoch = await self.store.epoch()

        def transition(file: CaseFile, now: float) -> Change[CaseView]:
            check_owner(file, client)
            check_open(file.case, now)
            cancelled = replace(file.case, state=CaseState.CANCELLED, reason=reason)
            after = file.with_(cancelled, *revoked(file))
            event = Event(name="case.cancelled", actor=f"client:{client.id}", details={"reason": reason})
            return Change(after=after, event=event, value=case_view(after, now=now, epoch=epoch))

        return await self.store.transact(known_case(case_id), transition, durable=True)

    async def expire(self, case_id: str) -> CaseState:
        """Record that the deadline of an open case has passed, if it has, so that its client is told; its state then.

        Raises:
            NotFound: `case_unknown`.
        """

        def transition(file: CaseFile, now: float) -> Change[CaseState]:
            state = state_at(file.case, now)
            if state is file.case.state:
                raise Conflict("case_not_open", f"there is nothing to record: the case is {state.value}")
            after = file.with_(replace(file.case, state=state, reason=reason_at(file.case, now)))
            return Change(after=after, event=Event(name="case.expired", actor="service"), value=state)

        known = known_case(case_id)
        file, now = await self.store.load(known)
        if state_at(file.case, now) is file.case.state:
            return file.case.state
        with suppress(Conflict):  # another replica was faster
            return await self.store.transact(known, transition)
        return (await self.store.load(known))[0].case.state

    def _case(self, client: Client, action: Action, new: NewCase, now: float) -> Case:
        case_id = f"case_{new_part(self.entropy)}"
        return Case(
            id=case_id,
            client=client.id,
            client_name=client.name,
            mode=client.mode,
            action=action.name,
            document_sha256=new.document_sha256,
            external_id=new.external_id,
            rule=new.rule,
            roster_version=1,
            state=CaseState.OPEN,
            reason=None,
            opened_at=now,
            deadline=DEFAULT_DEADLINE_SECONDS + now if new.deadline is None else checked_deadline(new.deadline, now),
            wrapped_key=self.vault.new_case_key(case_id),
            action_words=None if action.statutory else (action.zh, action.en),
            details=check_details(new.details),
            metadata=new.metadata,
        )


def case_view(file: CaseFile, *, now: float, epoch: int) -> CaseView:
    """A case as it stands at a time (Unix seconds by the store's clock), in the store's epoch."""
    file = without_moot(file)  # as it is stored: a transition shows the file that it is about to commit
    standings = {subject_id: standing(file, subject_id, now=now, epoch=epoch) for subject_id in file.roster}
    return CaseView(
        file=file,
        state=state_at(file.case, now),
        reason=reason_at(file.case, now),
        standings=standings,
        progress=progress(file, now=now, epoch=epoch),
    )


def known_case(identifier: str) -> str:
    """The case id that an id belongs to. Raises NotFound `case_unknown` if it has no such form."""
    case_id = case_of(identifier)
    if case_id is None:
        raise NotFound("case_unknown", "there is no such case, or it belongs to another client")
    return case_id


def check_owner(file: CaseFile, client: Client) -> None:
    """A case is shown to its own client in its own mode only. Raises NotFound `case_unknown`."""
    if file.case.client != client.id or file.case.mode != client.mode:
        raise NotFound("case_unknown", "there is no such case, or it belongs to another client")


def find_subject(file: CaseFile, subject_id: str) -> Subject:
    """Raises NotFound `subject_unknown`."""
    if subject_id not in file.roster:
        raise NotFound("subject_unknown", "the case has no such subject")
    return file.subjects[subject_id]


def state_at(case: Case, now: float) -> CaseState:
    """An open case whose deadline has passed is expired, whoever looks first."""
    return CaseState.EXPIRED if case.state is CaseState.OPEN and now >= case.deadline else case.state


def reason_at(case: Case, now: float) -> str | None:
    """Why a case has ended; None for an open one."""
    return "deadline_passed" if state_at(case, now) is CaseState.EXPIRED else case.reason


def check_open(case: Case, now: float) -> None:
    """Raises Conflict `case_not_open`."""
    state = state_at(case, now)
    if state is not CaseState.OPEN:
        raise Conflict("case_not_open", f"the case is {state.value} ({reason_at(case, now)}): open a new one")


def revoked(file: CaseFile, subjects: Collection[str] | None = None) -> tuple[Verification, ...]:
    """The active verifications of a case, or of some of its subjects (ids), revoked."""
    return tuple(
        replace(verification, state=VerificationState.REVOKED)
        for verification in file.verifications.values()
        if verification.state is VerificationState.ACTIVE and (subjects is None or verification.subject_id in subjects)
    )


def revoked_links(file: CaseFile, subjects: Collection[str]) -> tuple[Invite, ...]:
    """The links of these subjects (ids) that still led somewhere; grants and sessions that came of them end too."""
    ended = {InviteState.REVOKED, InviteState.DECLINED}
    return tuple(
        replace(invite, state=InviteState.REVOKED)
        for invite in file.invites.values()
        if invite.subject_id in subjects and invite.state not in ended
    )


def _enrolled(
    enrolment: Enrolment, file: CaseFile, action: Action, new: NewCase, now: float
) -> tuple[CaseFile, dict[str, bytes | None]]:
    """The case with its organisations and people, and the sealed portraits."""
    file = file.with_(*(enrolment.organisation(action, each) for each in new.organisations))
    enrolled = [enrolment.subject(file, action, each, now=now) for each in new.subjects]
    portraits: dict[str, bytes | None] = {blob_name(each): portrait for each, portrait in enrolled if portrait}
    return file.with_(*(subject for subject, _ in enrolled)), portraits


def _external(client: Client, external_id: str) -> str:
    return f"{client.id}:{external_id}"


def redeemed_subjects(file: CaseFile) -> frozenset[str]:
    """Ids of the subjects whose verification was redeemed."""
    redeemed = (each for each in file.verifications.values() if each.state is VerificationState.REDEEMED)
    return frozenset(each.subject_id for each in redeemed)


def completed(file: CaseFile) -> CaseFile:
    """The file, with its case completed if the rule holds for those who are redeemed."""
    if unmet(file, redeemed_subjects(file)) is not None:
        return file
    return file.with_(replace(file.case, state=CaseState.COMPLETED, reason="rule_met"))


def checked_deadline(wanted: datetime, now: float) -> float:
    """A deadline in Unix seconds. Raises Invalid `deadline_invalid`."""
    if wanted.tzinfo is None:
        raise Invalid("deadline_invalid", "the deadline needs a time zone, such as 2026-12-31T18:00:00+08:00")
    if not now < wanted.timestamp() <= now + LONGEST_DEADLINE_SECONDS:
        raise Invalid("deadline_invalid", "the deadline must be in the future and within a year")
    return wanted.timestamp()
