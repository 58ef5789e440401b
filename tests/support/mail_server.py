"""A mail server for tests: real SMTP on loopback, which answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "heyan", "correct horse battery staple"


@dataclass
class MailServer:
    """Answers RCPT and DATA with these replies, and keeps what it received."""

    port: int = 0
    recipient_reply: str = "250 OK"
    data_reply: str = "250 OK"
    received: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """While it is there and not set, no mail is answered."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if self.recipient_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_reply

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.hold is not None:
            await self.hold.wait()
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.data_reply


def _logged_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    given = isinstance(data, LoginPassword) and (data.login, data.password)
    right = given == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)  # what is not handled is refused by the server


@asynccontextmanager
async def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[MailServer]:
    """`starttls`, `tls`: encrypted after a command, or from the first byte; `login`: refuses whoever did not log in."""
    handler = MailServer()

    def connected() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=_logged_in,
            auth_required=login,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=tls)
    handler.port = server.sockets[0].getsockname()[1]
    async with server:
        yield handler
        if handler.hold is not None:
            handler.hold.set()
