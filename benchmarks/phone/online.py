"""A simulated phone on the network: the way from an invite's code to the result, in real time over HTTP and WebSocket.

Written against docs/http.md and docs/stream.md, not against the service's code: what it can do, any phone can.
"""

import asyncio
import json
import struct
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.phone.camera import Camera, CameraModel
from benchmarks.phone.person import Actor

PROTOCOL = Subprotocol("heyan.capture.v1")
HEADER = struct.Struct("!8sII")
NO_NONCE = bytes(8)
FRAMES_PER_SECOND = 8.0

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The right to open sessions."""

    secret: str
    attempts_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An open session, not claimed yet."""

    session_id: str
    secret: str
    stream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last message of a session: `result` or `problem`. `seconds` from claim to end."""

    message: Message
    seconds: float

    @property
    def outcome(self) -> str:
        """`accepted`, `retry`, `rejected`, `referred`, or the code of a problem."""
        return str(self.message.get("outcome") or self.message.get("code"))


@dataclass(slots=True)
class Phone:
    """One phone with whoever stands in front of it."""

    http: httpx.AsyncClient
    actor: Actor
    rng: Random
    camera: CameraModel = field(default_factory=Camera)

    async def agree(self, code: str) -> Grant:
        """Read what the invite is for, agree, and exchange it."""
        seen = await self._post("/v1/invites/inspect", {"code": code})
        agreement = {
            "code": code,
            "agreed": True,
            "consent_version": seen["consent"]["version"],
            "consent_sha256": seen["consent"]["sha256"]["zh"],
            "intent_sha256": seen["intent"]["sha256"],
            "language": "zh",
        }
        await self._post("/v1/invites/consent", agreement)
        grant = await self._post("/v1/invites/exchange", {"code": code})
        return Grant(secret=grant["grant"], attempts_left=grant["attempts_left"])

    async def open(self, grant: Grant) -> Attempt:
        """Open a session."""
        opened = await self._post("/v1/sessions", {}, bearer=grant.secret)
        return Attempt(
            session_id=opened["session_id"], secret=opened["session_secret"], stream=_websocket(self.http, opened)
        )

    async def verify(self, grant: Grant) -> tuple[Ended, ...]:
        """Attempt after attempt, while the service asks to try again and the link allows it."""
        ends: list[Ended] = []
        for _ in range(grant.attempts_left):
            ends.append(await self.attempt(await self.open(grant)))
            if ends[-1].outcome != "retry":
                break
        return tuple(ends)

    async def attempt(self, attempt: Attempt) -> Ended:
        """Claim a session and send frames until it ends."""
        async with connect(attempt.stream, subprotocols=[PROTOCOL], max_queue=None) as socket:
            await socket.send(json.dumps({"type": "claim", "secret": attempt.secret}))
            first: Message = json.loads(await socket.recv())
            if first["type"] != "claimed":
                return Ended(message=first, seconds=0.0)
            return await Capture(socket, self.actor, self.camera, self.rng).run()

    async def _post(self, path: str, body: Message, *, bearer: str | None = None) -> Message:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        answer = await self.http.post(path, json=body, headers=headers)
        answer.raise_for_status()
        content: Message = answer.json()
        return content


class Capture:
    """A claimed session: shows prompts to the actor and sends what the camera sees."""

    def __init__(self, socket: ClientConnection, actor: Actor, camera: CameraModel, rng: Random) -> None:
        self._socket, self._actor = socket, actor
        self._shutter = camera.open(np.random.default_rng(rng.getrandbits(32)))
        self._started = monotonic()
        self._nonce = NO_NONCE
        self._shown: list[Message] = []
        self._last: Message | None = None
        self._shooting = True

    async def run(self) -> Ended:
        """Send frames at an even pace until the service has told the end."""
        listening = asyncio.create_task(self._listen())
        try:
            await self._shoot_all()
            await listening
        except ConnectionClosed:
            await listening
        finally:
            listening.cancel()
        last = self._last or {"type": "problem", "code": "connection_lost"}
        return Ended(message=last, seconds=monotonic() - self._started)

    async def _listen(self) -> None:
        async for received in self._socket:
            message: Message = json.loads(received)
            if message["type"] in {"result", "problem"}:
                self._last, self._shooting = message, False
            else:
                self._shown.append(message)

    async def _shoot_all(self) -> None:
        seq = 0
        while self._shooting:
            self._show()
            at = monotonic() - self._started
            jpeg = await asyncio.to_thread(self._shoot, at)
            if self._shooting:
                await self._socket.send(HEADER.pack(self._nonce, seq, int(at * 1000)) + jpeg)
            seq += 1
            await asyncio.sleep(max(0.0, seq / FRAMES_PER_SECOND - (monotonic() - self._started)))

    def _shoot(self, at: float) -> bytes:
        return self._shutter.shoot(self._actor.scene(at), at, self._actor.glow(at))

    def _show(self) -> None:
        """Prompts appear between two frames."""
        for message in self._shown:
            if "nonce" in message:
                self._nonce = message["nonce"].encode("ascii")
            if message["type"] in {"ask", "rest", "light", "done"}:
                what = message.get("cue") or message.get("colour")
                self._actor.told(message["type"], what, monotonic() - self._started)
            if message["type"] == "done":
                self._shooting = False
        self._shown.clear()


def _websocket(http: httpx.AsyncClient, opened: Message) -> str:
    base = str(http.base_url).rstrip("/")
    return base.replace("http", "ws", 1) + str(opened["stream"])
