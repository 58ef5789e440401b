"""The messenger: invites whose links the service sends itself, and notices of what came of them.

Contacts and codes are sealed under the person's key from the moment they arrive; what is stored beside them is masked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from verify.casefile import (
    Case,
    CaseFile,
    Channel,
    DisputeLink,
    Invite,
    Language,
    Message,
    MessageKind,
    MessageState,
    Mode,
    Receipt,
)
from verify.clients import Client
from verify.contact_limits import ContactLimits
from verify.contacts import Contact
from verify.disputes import dispute_link
from verify.errors import Invalid, StoreUnavailable
from verify.identifiers import Entropy, link_code, new_part
from verify.invites import Accompany, Invites, IssuedInvite
from verify.messages import RESULT_SECONDS, reminder_times
from verify.store import Store
from verify.vault import Vault

SETTINGS: Mapping[Channel, str] = {"sms": "HEYAN_SMS_URL", "email": "HEYAN_SMTP_HOST"}
"""What an operator sets for a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client asks to have sent with an invite. `result`: also a notice once the identity was used."""

    contact: Contact
    language: Language = "zh"
    reminders: bool = True
    result: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Messenger:
    """Issues invites with the messages that go with them.

    `channels`: those that the operator has set up; test mode pretends to have all. `reminder_hours`: how long before a
    link's end people are reminded.
    """

    store: Store
    vault: Vault
    entropy: Entropy
    invites: Invites
    limits: ContactLimits
    channels: frozenset[Channel]
    reminder_hours: tuple[float, ...]

    async def invite(
        self, client: Client, case_id: str, subject_id: str, wanted: Wanted, *, return_url: str | None = None
    ) -> IssuedInvite:
        """A new link for a subject, which the service sends.

        Raises:
            Invalid: `channel_not_configured`. Limited: `contact_limited`.
            What `Invites.issue` refuses; then the contact's count is as it was.
        """
        self._check(client.mode, wanted.contact.channel)
        ids = [f"msg_{new_part(self.entropy)}" for _ in range(len(self.reminder_hours) + 2)]
        await self.limits.take(wanted.contact, ids[0], mode=client.mode, now=await self.store.now())
        try:
            return await self.invites.issue(
                client, case_id, subject_id, return_url=return_url, accompany=self._accompany(wanted, ids)
            )
        except StoreUnavailable:  # it may be on its way
            raise
        except Exception:
            await self.limits.give_back(wanted.contact, ids[0], mode=client.mode)
            raise

    def _check(self, mode: Mode, channel: Channel) -> None:
        if mode == "live" and channel not in self.channels:
            message = (
                f"no channel for {channel} is set up ({SETTINGS[channel]}): leave `deliver` out and pass the link on"
            )
            raise Invalid("channel_not_configured", message)

    def _accompany(self, wanted: Wanted, ids: Sequence[str]) -> Accompany:
        def messages(file: CaseFile, invite: Invite, code: str) -> tuple[Message, ...]:
            times = reminder_times(self.reminder_hours, invite) if wanted.reminders else ()
            due = [(MessageKind.INVITATION, invite.issued_at), *((MessageKind.REMINDER, at) for at in times)]
            blanks = [self._waiting(file.case, invite, wanted, each) for each in ids]
            sent = tuple(
                self._queued(file.case, invite, blank, code=code, kind=kind, at=at)
                for blank, (kind, at) in zip(blanks, due, strict=False)
            )
            return (*sent, blanks[-1]) if wanted.result else sent

        return messages

    def _queued(
        self, case: Case, invite: Invite, blank: Message, *, code: str, kind: MessageKind, at: float
    ) -> Message:
        """A message that carries the invite's link and is due at a time (Unix seconds)."""
        return replace(
            blank,
            kind=kind,
            code_sealed=seal(self.vault, case, code, code_binding(invite.subject_id, blank.id)),
            state=MessageState.QUEUED,
            due_at=at,
            until=invite.expires_at,
        )

    def _waiting(self, case: Case, invite: Invite, wanted: Wanted, message_id: str) -> Message:
        """The notice that waits for the identity to be used."""
        return Message(
            id=message_id,
            kind=MessageKind.RESULT,
            subject_id=invite.subject_id,
            invite_id=invite.id,
            channel=wanted.contact.channel,
            language=wanted.language,
            to_masked=wanted.contact.masked,
            to_sealed=seal(self.vault, case, wanted.contact.to, contact_binding(invite.subject_id, message_id)),
            code_sealed=b"",
            state=MessageState.WAITING,
            due_at=None,
            until=case.deadline,
        )


def results(
    vault: Vault, file: CaseFile, receipts: Iterable[Receipt], draw: Callable[[str], tuple[str, str]], *, now: float
) -> tuple[Message | DisputeLink, ...]:
    """The notices that have waited for these redemptions, each with a link of its own by which to object.

    `draw`: the random part and the secret of the link that goes with a receipt's id, the same whenever it is asked.
    """
    queued = list[Message | DisputeLink]()
    for receipt in receipts:
        subject_id = file.verifications[receipt.verification_id].subject_id
        for message in waiting_results(file, subject_id):
            part, secret = draw(receipt.id)
            code = link_code(file.case.id, part, secret)
            queued.append(dispute_link(subject_id, part, secret, now=now))
            queued.append(
                replace(
                    message,
                    code_sealed=seal(vault, file.case, code, code_binding(subject_id, message.id)),
                    state=MessageState.QUEUED,
                    due_at=now,
                    until=now + RESULT_SECONDS,
                )
            )
    return tuple(queued)


def waiting_results(file: CaseFile, subject_id: str) -> tuple[Message, ...]:
    """At most one: that of the person's latest invite, as those before are revoked."""
    return tuple(
        each for each in file.messages.values() if each.state is MessageState.WAITING and each.subject_id == subject_id
    )


def contact_binding(subject_id: str, message_id: str) -> tuple[str, ...]:
    """What a message's sealed contact is bound to."""
    return (subject_id, "contact", message_id)


def code_binding(subject_id: str, message_id: str) -> tuple[str, ...]:
    """What the sealed code of a message's link is bound to."""
    return (subject_id, "code", message_id)


def seal(vault: Vault, case: Case, content: str, bound_to: tuple[str, ...]) -> bytes:
    """Sealed under the key of the person that comes first in what it is bound to."""
    return vault.seal(content.encode(), case_id=case.id, wrapped_key=case.wrapped_key, bound_to=bound_to)
