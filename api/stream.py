"""One WebSocket connection of a phone: `heyan.capture.v1`, as documented in docs/stream.md."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from api.errors import StreamError
from api.frames import FrameError, parse_frame
from api.live_sessions import LiveSessions, Outbox, RunningSession
from api.messages import SUBPROTOCOL, ClaimMessage, Message, PhoneMessage, ResumeMessage, parse_message, problem_message
from api.problems import Problem, problem_of

FIRST_MESSAGE_SECONDS = 10.0
"""How long a connection may stay open without saying which session it is for."""

CLOSED_NORMALLY = 1000
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013

LAST_MESSAGES = frozenset({"result", "problem"})

Claim = Callable[[ClaimMessage], Awaitable[RunningSession]]
"""Claims the session with the message's secret and starts it."""


class CaptureConnection:
    """Translates between one WebSocket and one running session."""

    def __init__(self, socket: WebSocket, *, max_frame_bytes: int) -> None:
        self._socket = socket
        self._max_frame_bytes = max_frame_bytes

    async def serve(self, *, session_id: str, live: LiveSessions, claim: Claim) -> None:
        """Hold the conversation until the session ends or the phone goes away. Every error becomes a `problem`."""
        await self._socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in self._offered() else None)
        try:
            running = await self._open(session_id=session_id, live=live, claim=claim)
        except WebSocketDisconnect:
            return
        except Exception as error:
            await self._refuse(problem_of(error))
            return
        await self._converse(running, live)

    def _offered(self) -> list[str]:
        return list(self._socket.scope.get("subprotocols", []))

    async def _open(self, *, session_id: str, live: LiveSessions, claim: Claim) -> RunningSession:
        if SUBPROTOCOL not in self._offered():
            raise StreamError("subprotocol_missing", f"open the WebSocket with the subprotocol {SUBPROTOCOL}")
        match await self._first_message():
            case ClaimMessage() as message:
                running = await claim(message)
            case ResumeMessage(secret=secret):
                running = live.resume(session_id=session_id, secret=secret)
            case _:
                raise StreamError("claim_expected", "the first message is 'claim' or 'resume'")
        await self._welcome(running)
        return running

    async def _welcome(self, running: RunningSession) -> None:
        """Tell the phone that the session is its. One that is gone meanwhile never comes back, as it does not know the
        secret to resume with: its place is given up at once."""
        outbox = running.outbox
        try:
            await self._socket.send_json(_claimed(running))
        except BaseException:
            running.abort(failure=None, outbox=outbox)
            raise

    async def _first_message(self) -> PhoneMessage:
        try:
            async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                received = await self._receive()
        except TimeoutError:
            message = f"the first message, 'claim' or 'resume', must come within {FIRST_MESSAGE_SECONDS:.0f} seconds"
            raise StreamError("claim_timeout", message) from None
        if isinstance(received, bytes):
            raise StreamError("claim_expected", "the first message is 'claim' or 'resume', then frames may follow")
        return parse_message(received)

    async def _receive(self) -> str | bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", CLOSED_NORMALLY))
        content: str | bytes | None = message.get("bytes")
        return content if content is not None else str(message["text"])

    async def _converse(self, running: RunningSession, live: LiveSessions) -> None:
        outbox = running.outbox
        listening = asyncio.create_task(self._listen(running, live, outbox))
        speaking = asyncio.create_task(self._speak(outbox))
        try:
            await asyncio.wait({listening, speaking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.detach(outbox=outbox)
            for task in (listening, speaking):
                task.cancel()
            await asyncio.gather(listening, speaking, return_exceptions=True)

    async def _listen(self, running: RunningSession, live: LiveSessions, outbox: Outbox) -> None:
        """Take messages until the phone goes away. After a broken rule only the end of the session is awaited."""
        while True:
            try:
                self._take(await self._receive(), running, live, outbox)
            except WebSocketDisconnect:
                return
            except (StreamError, FrameError) as error:
                running.abort(failure=problem_message(error.code, str(error)), outbox=outbox)

    def _take(self, received: str | bytes, running: RunningSession, live: LiveSessions, outbox: Outbox) -> None:
        if isinstance(received, bytes):
            live.put(running, parse_frame(received, max_bytes=self._max_frame_bytes), outbox=outbox)
            return
        if isinstance(parse_message(received), ClaimMessage | ResumeMessage):
            raise StreamError("message_unexpected", "this connection holds its session already; send frames or 'abort'")
        running.abort(failure=None, outbox=outbox)

    async def _speak(self, outbox: Outbox) -> None:
        while True:
            message = await outbox.get()
            await self._socket.send_json(message)
            if message["type"] in LAST_MESSAGES:
                await self._socket.close(_close_code(message))
                return

    async def _refuse(self, problem: Problem) -> None:
        message = problem_message(problem.code, problem.detail, problem.retry_after)
        await self._socket.send_json(message)
        await self._socket.close(_close_code(message))


def _claimed(running: RunningSession) -> Message:
    return {"type": "claimed", "session_id": running.session_id, "resume_secret": running.resume_secret}


def _close_code(message: Message) -> int:
    if message["type"] == "result":
        return CLOSED_NORMALLY
    return TRY_AGAIN_LATER if "retry_after" in message else POLICY_VIOLATION
