"""Translation between the bodies of cases and the values of `verify`."""

from collections.abc import Iterable
from datetime import UTC, datetime

from api.schemas.cases import (
    CaseBody,
    ChangedCaseBody,
    DetailsBody,
    HeldReferenceBody,
    IdDocumentBody,
    LastAttemptBody,
    LastInviteBody,
    MoneyBody,
    NewCaseBody,
    NewOrganisationBody,
    NewSubjectBody,
    OnBehalfOfBody,
    OrganisationBody,
    PersonBody,
    ReferenceBody,
    ReferenceWarning,
    ReplacedSubjectBody,
    RuleBody,
    SubjectBody,
)
from api.schemas.invites import DeliverBody
from api.schemas.messages import MessageBody
from verify.amendments import CaseChanges
from verify.casefile import Details, Message, Money, Organisation, Rule, Subject
from verify.cases import CaseView, NewCase
from verify.contacts import contact
from verify.enrolment import NewOrganisation, NewSubject
from verify.former import disputed
from verify.identity_documents import IdentityDocument
from verify.messenger import Wanted
from verify.progress import LastAttempt, LastInvite, Progress
from verify.reference_quality import quality_lines
from verify.standing import Standing


def new_case(body: NewCaseBody) -> NewCase:
    """A case with its roster."""
    return NewCase(
        action=body.action,
        document_sha256=body.document_sha256,
        subjects=tuple(new_subject(entry) for entry in body.subjects if isinstance(entry, NewSubjectBody)),
        organisations=tuple(
            new_organisation(entry) for entry in body.subjects if isinstance(entry, NewOrganisationBody)
        ),
        rule=Rule(kind=body.rule.kind, k=body.rule.k, roles=body.rule.roles or {}),
        details=details_of(body.details),
        external_id=body.external_id,
        metadata=body.metadata,
        deadline=body.deadline,
    )


def entry_of(body: PersonBody | NewOrganisationBody) -> NewSubject | NewOrganisation:
    """An entry of a roster."""
    return new_organisation(body) if isinstance(body, NewOrganisationBody) else new_subject(body)


def new_subject(body: PersonBody) -> NewSubject:
    """A person, with a photo if one came."""
    reference = body.reference if isinstance(body, NewSubjectBody | ReplacedSubjectBody) else None
    return NewSubject(
        name=body.name,
        role=body.role,
        document=id_document(body.id_document),
        photo=reference.photo if isinstance(reference, ReferenceBody) else None,
        provenance=reference.provenance if isinstance(reference, ReferenceBody) else None,
        from_authority=isinstance(reference, HeldReferenceBody),
        share_percent=body.share_percent,
        signs_for=body.signs_for,
        appointment=body.appointment,
    )


def new_organisation(body: NewOrganisationBody) -> NewOrganisation:
    """An organisation."""
    return NewOrganisation(
        name=body.name, role=body.role, credit_code=body.credit_code, share_percent=body.share_percent
    )


def id_document(body: IdDocumentBody) -> IdentityDocument:
    """An ID document."""
    return IdentityDocument(
        type=body.type,
        number=body.number,
        issuing_state=body.issuing_state,
        mrz_check_digit=body.mrz_check_digit,
    )


def case_changes(body: ChangedCaseBody) -> CaseChanges:
    """The fields that were sent."""
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    if body.details is not None:
        sent["details"] = details_of(body.details)
    return CaseChanges(**sent)


def details_of(body: DetailsBody) -> Details:
    """What a filing is about."""
    capital = body.registered_capital
    return Details(
        company_name=body.company_name,
        registered_capital=None if capital is None else Money(amount=capital.amount, currency=capital.currency),
        counterparty=body.counterparty,
    )


def case_body(view: CaseView) -> CaseBody:
    """A case as its client may see it."""
    case = view.file.case
    reported = disputed(view.file)
    return CaseBody(
        id=case.id,
        state=view.state,
        mode=case.mode,
        action=case.action,
        document_sha256=case.document_sha256,
        external_id=case.external_id,
        roster_version=case.roster_version,
        rule=RuleBody(kind=case.rule.kind, k=case.rule.k, roles=dict(case.rule.roles) or None),
        details=_details_body(case.details),
        metadata=dict(case.metadata),
        reason=view.reason,
        opened_at=datetime.fromtimestamp(case.opened_at, UTC),
        deadline=datetime.fromtimestamp(case.deadline, UTC),
        subjects=tuple(
            _subject_body(
                each,
                view.standings[each.id],
                view.progress[each.id],
                disputed=each.id in reported,
                messages=(message for message in view.file.messages.values() if message.subject_id == each.id),
            )
            for each in view.file.roster.values()
        ),
        organisations=tuple(_organisation_body(each) for each in view.file.legal_persons.values()),
    )


def _details_body(details: Details) -> DetailsBody:
    capital = details.registered_capital
    return DetailsBody(
        company_name=details.company_name,
        registered_capital=None if capital is None else MoneyBody(amount=capital.amount, currency=capital.currency),
        counterparty=details.counterparty,
    )


def _organisation_body(organisation: Organisation) -> OrganisationBody:
    return OrganisationBody(
        id=organisation.id,
        role=organisation.role,
        name=organisation.name,
        credit_code=organisation.credit_code,
        share_percent=organisation.share_percent,
    )


def message_body(message: Message) -> MessageBody:
    """A message as its client may see it."""
    return MessageBody(
        id=message.id,
        kind=message.kind.value,
        channel=message.channel,
        to_masked=message.to_masked,
        language=message.language,
        state=message.state.value,
        reason=message.reason,
        attempts=message.attempts,
        due_at=_time(message.due_at),
        sent_at=_time(message.sent_at),
    )


def wanted(body: DeliverBody) -> Wanted:
    """What a client asks to have sent. Raises Invalid `contact_invalid`."""
    return Wanted(
        contact=contact(body.channel, body.to), language=body.language, reminders=body.reminders, result=body.result
    )


def _time(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _warning(name: str) -> ReferenceWarning:
    """A component without a line any more keeps its name."""
    line = quality_lines().components.get(name)
    return ReferenceWarning(code=name, advice=None if line is None else line.advice)


def _attempt_body(attempt: LastAttempt) -> LastAttemptBody:
    opened_at = datetime.fromtimestamp(attempt.opened_at, UTC)
    return LastAttemptBody(outcome=attempt.outcome, reason=attempt.reason, opened_at=opened_at)


def _invite_body(invite: LastInvite) -> LastInviteBody:
    expires_at = datetime.fromtimestamp(invite.expires_at, UTC)
    return LastInviteBody(state=invite.state, expires_at=expires_at, attempts_left=invite.attempts_left)


def _subject_body(
    subject: Subject, standing: Standing, progress: Progress, *, disputed: bool, messages: Iterable[Message]
) -> SubjectBody:
    behalf = subject.on_behalf_of
    return SubjectBody(
        id=subject.id,
        role=subject.role,
        name_masked=subject.name_masked,
        id_masked=subject.id_masked,
        share_percent=subject.share_percent,
        on_behalf_of=None if behalf is None else OnBehalfOfBody(kind=behalf.kind, id=behalf.id, name=behalf.name),
        provenance=subject.provenance,
        reference_state=subject.reference_state,
        reference_reason=subject.reference_reason,
        reference_warnings=tuple(_warning(name) for name in subject.reference_warnings),
        state=standing,
        last_attempt=None if progress.last_attempt is None else _attempt_body(progress.last_attempt),
        invite=None if progress.invite is None else _invite_body(progress.invite),
        verified_at=_time(progress.verified_at),
        valid_until=_time(progress.valid_until),
        receipt=progress.receipt,
        messages=tuple(message_body(each) for each in messages),
        disputed=disputed,
    )
