"""Mail by an operator's server (SMTP submission, RFC 6409), encrypted unless the server is on this machine."""

import asyncio
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Literal

import aiosmtplib
from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from api.secret_files import read_secret, trusting
from api.settings import Settings, SettingsError
from verify.contacts import contact
from verify.errors import Invalid
from verify.message_texts import Letter
from verify.messages import ACCEPTED, Attempted

PERMANENT = 500
"""Replies from here on will not change (RFC 5321, section 4.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail server. `seconds`: for the whole of one message; `sender`: the address in From."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    tls: ssl.SSLContext
    user: str | None
    password: str | None = field(repr=False)
    sender: str
    seconds: float

    async def send(self, letter: Letter, *, now: float) -> Attempted:
        """See `api.senders.Sender`."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._submit(self.message(letter, now=now))
        except TimeoutError:
            return Attempted(reason="timeout")
        except SMTPRecipientsRefused as refused:
            return understood(refused.recipients[0])
        except SMTPResponseException as error:
            return understood(error)
        except SMTPException as error:
            return Attempted(reason="unreachable" if isinstance(error, ConnectionError) else "unsupported")
        except OSError:  # as all errors of `ssl` are
            return Attempted(reason="unreachable")
        return ACCEPTED

    def message(self, letter: Letter, *, now: float) -> EmailMessage:
        """The mail; every attempt has the same Message-ID, by which doubles can be told."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self.sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate(now)
        message["Message-ID"] = f"<{letter.id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = letter.language
        message.set_content(letter.text + "\n")
        return message

    @property
    def _domain(self) -> str:
        return self.sender.rpartition("@")[2]

    async def _submit(self, message: EmailMessage) -> None:
        await aiosmtplib.send(
            message,
            hostname=self.host,
            port=self.port,
            local_hostname=self._domain,
            username=self.user,
            password=self.password,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=self.tls,
            timeout=self.seconds,
        )


def understood(refused: SMTPResponseException) -> Attempted:
    """What a reply of the server says of the message."""
    if refused.code < PERMANENT:
        return Attempted(reason="busy")
    return Attempted(reason="denied" if isinstance(refused, SMTPAuthenticationError) else "rejected", final=True)


def open_mail(settings: Settings) -> Mail | None:
    """The mail server that the settings name, if they name one.

    Raises:
        SettingsError: `setting_invalid` if a file, or the address in From, cannot be used.
    """
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    password = settings.smtp_password
    return Mail(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_tls,
        tls=trusting(settings.delivery_ca, setting="HEYAN_DELIVERY_CA"),
        user=settings.smtp_user,
        password=None if password is None else read_secret(password, setting="HEYAN_SMTP_PASSWORD"),
        sender=_mailbox(settings.smtp_from),
        seconds=settings.delivery_seconds,
    )


def _mailbox(address: str) -> str:
    try:
        return contact("email", address).to
    except Invalid:
        raise SettingsError("setting_invalid", "HEYAN_SMTP_FROM: must be an e-mail address") from None
