"""One verification over the network, from the case to the result, and how long the service took for what."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import TypeVar, cast

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.load.player import Player
from benchmarks.load.reels import FRAMES_PER_SECOND, Reel
from benchmarks.phone.online import HEADER, NO_NONCE, PROTOCOL, Attempt, Grant, Message
from benchmarks.phone.online import Phone as OnlinePhone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing, Registrant, Registration

T = TypeVar("T")

BUSY = 503
NOBODY = cast(Actor, None)
"""Stands before the phone while it agrees and opens a session: it does not look yet."""
LONGEST_SECONDS = 120.0
"""After so long a session counts as lost: none lasts longer."""


@dataclass(slots=True)
class Visit:
    """What came of one verification. Seconds."""

    outcome: str = "not_opened"
    """`accepted`, `retry`, `rejected`, `referred`, or the code of a problem."""
    refused: int = 0
    """How often a case, an agreement or a session was refused with 503, before one was opened or the time was up."""
    opened: bool = False
    seconds: float = 0.0
    """From opening the case to the result, without the time that the service asked to wait."""
    decision_seconds: float | None = None
    """From `done`, which the last cue's last frame brings, to the result."""
    frames: int = 0
    sent_bytes: int = 0
    """Of all frames."""

    @property
    def lost(self) -> bool:
        """A session was opened and did not come to a result."""
        return self.opened and self.outcome not in {"accepted", "retry", "rejected", "referred"}


@dataclass(slots=True)
class Entered:
    """A person who has agreed, and holds the right to open sessions."""

    filing: Filing
    phone: OnlinePhone
    grant: Grant


async def entered(http: httpx.AsyncClient, photo: bytes, *, number: int) -> Entered:
    """A case for one person of that number, an invite, consent.

    Raises:
        httpx.HTTPError: the service refused.
    """
    desk = Registration(http)
    person = Registrant(name=f"Person {number}", role="shareholder", id_number=f"E{number:08d}", photo=photo)
    filing = await desk.open(person)
    phone = OnlinePhone(http=http, actor=NOBODY, rng=Random(number))
    return Entered(filing, phone, await phone.agree(await desk.invite(filing, filing.subjects[0])))


async def visit(http: httpx.AsyncClient, reel: Reel, *, number: int, cut: int, until: float) -> Visit:
    """Verify once. `number` tells it from all others, `cut` its pictures from the person's others.

    Where the service is full, come again `until` (monotonic seconds).

    Raises:
        httpx.HTTPError: the service refused otherwise than with 503.
    """
    found, started = Visit(), monotonic()
    player = Player(reel, number=cut, rng=Random(number))
    person, waited = await admitted(lambda: entered(http, reel.photo, number=number), found, until=until)
    if person is not None:
        waited += await attempted(person, player, found, until=until)
    found.seconds = monotonic() - started - waited
    return found


async def attempted(person: Entered, player: Player, found: Visit, *, until: float) -> float:
    """One session of a person, from its opening to its end; gives the seconds that were waited for a place.

    Raises:
        httpx.HTTPError: the service refused something else than a session.
    """
    attempt, waited = await opened(person.phone, person.grant, found, until=until)
    if attempt is not None:
        found.opened = True
        await _captured(attempt, player, found)
    return waited


async def opened(phone: OnlinePhone, grant: Grant, found: Visit, *, until: float) -> tuple[Attempt | None, float]:
    """A session, as `admitted` gives it."""
    return await admitted(lambda: phone.open(grant), found, until=until)


async def admitted(act: Callable[[], Awaitable[T]], found: Visit, *, until: float) -> tuple[T | None, float]:
    """What comes of it, tried again whenever the service asks for that, and the seconds that were waited; None if there
    was no place `until` (monotonic seconds).

    Raises:
        httpx.HTTPError: the service refused otherwise than with 503.
    """
    waited = 0.0
    while True:
        try:
            return await act(), waited
        except httpx.HTTPStatusError as error:
            if error.response.status_code != BUSY:
                raise
            found.refused += 1
            pause = float(error.response.headers["retry-after"])
        if monotonic() + pause > until:
            return None, waited
        await asyncio.sleep(pause)
        waited += pause


async def _captured(attempt: Attempt, player: Player, found: Visit) -> None:
    """Claim, and send frames until the end is told."""
    try:
        async with (
            asyncio.timeout(LONGEST_SECONDS),
            connect(attempt.stream, subprotocols=[PROTOCOL], max_queue=None, compression=None) as socket,
        ):
            await socket.send(json.dumps({"type": "claim", "secret": attempt.secret}))
            first: Message = json.loads(await socket.recv())
            if first["type"] != "claimed":
                found.outcome = str(first["code"])
                return
            await _Capture(socket, player, found).run()
    except (OSError, ConnectionClosed, TimeoutError) as error:
        found.outcome = f"connection_lost ({type(error).__name__})"


@dataclass(slots=True)
class _Capture:
    """A claimed session."""

    socket: ClientConnection
    player: Player
    found: Visit
    _nonce: bytes = field(default=NO_NONCE, init=False)
    _done_at: float | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Frames at an even pace, until the service has told the end."""
        shooting = asyncio.create_task(self._shoot())
        try:
            async for received in self.socket:
                self._hear(json.loads(received))
        finally:
            self._over = True
            await shooting

    def _hear(self, message: Message) -> None:
        self.player.told(message)
        self._nonce = message["nonce"].encode("ascii") if "nonce" in message else self._nonce
        match message["type"]:
            case "done":
                self._done_at = monotonic()
            case "result" | "problem":
                self.found.outcome = str(message.get("outcome") or message["code"])
                if self._done_at is not None:
                    self.found.decision_seconds = monotonic() - self._done_at

    async def _shoot(self) -> None:
        started, seq = monotonic(), 0
        try:
            while self._done_at is None and not self._over:
                header = HEADER.pack(self._nonce, seq, int(1000 * (monotonic() - started)))
                frame = header + self.player.frame()
                await self.socket.send(frame)
                seq += 1
                self.found.frames += 1
                self.found.sent_bytes += len(frame)
                await asyncio.sleep(max(0.0, started + seq / FRAMES_PER_SECOND - monotonic()))
        except ConnectionClosed:
            return
