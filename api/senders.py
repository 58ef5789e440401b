"""Senders: who hands messages over to the outside, one for each channel that the operator has set up."""

from collections.abc import Mapping
from typing import Protocol

from api.mail import open_mail
from api.settings import Settings
from api.sms_gateway import open_sms_gateway
from verify.casefile import Channel
from verify.message_texts import Letter
from verify.messages import ACCEPTED, Attempted


class Sender(Protocol):
    """Hands over messages."""

    async def send(self, letter: Letter, *, now: float) -> Attempted:
        """One attempt at one message. Never raises for what the other side does. `now`: Unix seconds."""


class Pretended:
    """Test mode: nothing leaves the service. Contacts that end in 0000, or mailboxes `undeliverable`, refuse."""

    async def send(self, letter: Letter, *, now: float) -> Attempted:  # noqa: ARG002 - `Sender`'s signature
        """See `Sender`."""
        refuses = letter.to.endswith("0000") or letter.to.lower().startswith("undeliverable@")
        return Attempted(reason="rejected", final=True) if refuses else ACCEPTED


def open_senders(settings: Settings) -> Mapping[Channel, Sender]:
    """The channels that the settings set up.

    Raises:
        SettingsError: `setting_invalid` if a file cannot be used.
    """
    found: Mapping[Channel, Sender | None] = {"sms": open_sms_gateway(settings), "email": open_mail(settings)}
    return {channel: sender for channel, sender in found.items() if sender is not None}
