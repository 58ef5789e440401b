"""The live sessions that run in this process, each as a task of its own that outlives a dropped connection.

A session is bound to the process that claimed it: behind a balancer, a phone resumes on the same replica or not at all.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from hmac import compare_digest
from math import ceil
from time import monotonic, thread_time
from typing import Protocol

from structlog.stdlib import BoundLogger

from api.admission import Admission
from api.errors import StreamError
from api.frames import CaptureFrame
from api.inference import InferencePool
from api.mailbox import Mailbox
from api.messages import Message, problem_message, prompt_message
from api.metrics import Metrics
from liveness.prompts import Ask, Prompt
from verify.evidence import Evidence

TICK_SECONDS = 0.1
"""How often time passes for a session without frames; its shortest pause is five times as long."""

PROMPTS = frozenset({"ask", "rest", "light"})
"""Messages that carry a nonce: one is in force at a time."""

RESULT_SECONDS = 0.35
"""The result leaves this long after the last frame, or a multiple of it: see `Timing.result_seconds`."""


class Attempt(Protocol):
    """What this module needs of `verify.live.LiveSession`."""

    @property
    def finished(self) -> bool: ...
    def receive(self, *, jpeg: bytes, nonce: str, seq: int, now: float) -> tuple[Prompt, ...]: ...
    def tick(self, *, now: float) -> tuple[Prompt, ...]: ...
    def evidence(self) -> Evidence: ...


class Conclusion(Protocol):
    """What becomes of an attempt."""

    async def prepare(self) -> None:
        """Do beforehand what need not wait for the end; `conclude` does what was not done."""

    async def conclude(self, evidence: Evidence) -> Message:
        """Decide and record the attempt, and say what the phone is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds that rule a live session outside of its script."""

    resume_seconds: float
    """How long a dropped connection may be away."""
    result_seconds: float = RESULT_SECONDS
    """Grid on which results leave, counted from the last frame, whatever was decided and however long that took: a
    mismatch, a detected attack and an acceptance cannot be told apart by a stopwatch."""
    longest_seconds: float = 600.0
    """Hard end of a session."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame and the moment (monotonic seconds) at which it reached the service."""

    frame: CaptureFrame
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A frame that was left for its session."""

    superseded: bool
    """Whether another one that waited is dropped for it."""
    gap_seconds: float | None
    """Since the frame before; None for the first."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """What came of a frame, and what it cost of a core."""

    arrived: Arrived
    prompts: tuple[Prompt, ...]
    cpu_seconds: float


Outbox = asyncio.Queue[Message]


@dataclass(slots=True)
class RunningSession:
    """One live session: a mailbox for frames, and an outbox for the connection that holds it now."""

    session_id: str
    attempt: Attempt
    resume_secret: str
    outbox: Outbox = field(default_factory=asyncio.Queue)
    started_at: float = field(default_factory=monotonic)
    detached_at: float | None = None
    resumed: bool = False
    aborted: bool = False
    failure: Message | None = None
    failed: bool = False
    """The work itself broke off: what the script says of its end does not count."""
    preparing: asyncio.Task[None] | None = None
    """`Conclusion.prepare`, since the last cue that everybody is asked was told."""
    _frames: Mailbox[Arrived] = field(default_factory=Mailbox)
    _awaited: str | None = None
    """The nonce of the prompt in force until a frame has echoed it."""
    _last_frame_at: float | None = None
    _ended: Message | None = None
    _in_force: dict[str, Message] = field(default_factory=dict)

    def put(self, frame: CaptureFrame, *, outbox: Outbox) -> Left | None:
        """Leave a frame; None if the connection with this outbox does not hold the session any more.

        A frame that waits is superseded by the next, but for the first that echoes the prompt in force: the script
        measures times from it.
        """
        if outbox is not self.outbox:
            return None
        now, before = monotonic(), self._last_frame_at
        first_echo = frame.nonce == self._awaited
        self._awaited = None if first_echo else self._awaited
        self._last_frame_at = now
        superseded = self._frames.put(Arrived(frame, now), keep=first_echo)
        return Left(superseded=superseded, gap_seconds=None if before is None else now - before)

    async def has_frame(self) -> bool:
        """Whether a frame waits; False after a tick without one."""
        return await self._frames.filled(timeout=TICK_SECONDS)

    def next_frame(self) -> Arrived:
        """The frame to analyse: a first echo, else the newest."""
        return self._frames.take()

    def tell(self, message: Message) -> None:
        """Send a message, and keep it while it is in force, for a phone that resumes."""
        if message["type"] in PROMPTS:
            self._in_force, self._awaited = {"prompt": message}, message["nonce"]
        elif message["type"] in {"guide", "done"}:
            self._in_force[message["type"]] = message
        self.outbox.put_nowait(message)

    def end(self, message: Message) -> None:
        """Send the last message."""
        self._ended = message
        self.outbox.put_nowait(message)

    def abort(self, *, failure: Message | None, outbox: Outbox) -> None:
        """The phone gave up, or broke the protocol (`failure`): the attempt is concluded as it stands."""
        if outbox is self.outbox:
            self.aborted, self.failure = True, failure

    def detach(self, *, outbox: Outbox) -> None:
        """The connection with this outbox dropped."""
        if outbox is self.outbox:
            self.detached_at = monotonic()

    def take_over(self) -> None:
        """Another connection resumes: it gets what is in force, and the end if it was missed; the old one is closed."""
        self.outbox.put_nowait(problem_message("resumed_elsewhere", "another connection resumed this session"))
        self.detached_at, self.resumed, self.outbox = None, True, asyncio.Queue()
        for message in (*self._in_force.values(), *([self._ended] if self._ended else [])):
            self.outbox.put_nowait(message)


class LiveSessions:
    """Runs and finds the live sessions of this process, once they are admitted."""

    def __init__(
        self, *, pool: InferencePool, admission: Admission, metrics: Metrics, log: BoundLogger, timing: Timing
    ) -> None:
        self.admission = admission
        self._pool = pool
        self._metrics = metrics
        self._log = log
        self._timing = timing
        self._running: dict[str, RunningSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, *, session_id: str, attempt: Attempt, conclusion: Conclusion) -> RunningSession:
        """Run an admitted session until it ends; its place is released then."""
        running = RunningSession(session_id, attempt, resume_secret=secrets.token_urlsafe(32))
        self._running[session_id] = running
        self._task(self._run(running, conclusion), name=f"live {session_id}")
        return running

    def resume(self, *, session_id: str, secret: str) -> RunningSession:
        """Take over a session whose connection dropped (whether or not the service has noticed yet), once.

        Raises:
            StreamError: `resume_refused` if there is none here, it was resumed before, or the secret is not its.
        """
        running = self._running.get(session_id)
        if running is None or not _same(running.resume_secret, secret) or running.resumed:
            message = (
                "no session can be resumed here: within a few seconds, once, on the same service; open a new session"
            )
            raise StreamError("resume_refused", message)
        running.take_over()
        return running

    async def close(self) -> None:
        """Stop all sessions at once; what was not finished counts as interrupted in the store by its deadline."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.admission.close()

    def _task(self, work: Coroutine[None, None, None], *, name: str) -> asyncio.Task[None]:
        """A task that `close` stops."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def put(self, running: RunningSession, frame: CaptureFrame, *, outbox: Outbox) -> None:
        """A frame arrived on the connection with this outbox."""
        left = running.put(frame, outbox=outbox)
        if left is None:
            return
        if left.superseded:
            self._metrics.frames.labels(fate="superseded").inc()
        if left.gap_seconds is not None:
            self.admission.measures.arrived(left.gap_seconds)

    async def _run(self, running: RunningSession, conclusion: Conclusion) -> None:
        try:
            with self._metrics.traces.work("live_session", session_id=running.session_id):
                await self._play(running, conclusion)
                running.end(await self._conclude(running, conclusion))
        finally:
            self.admission.measures.ended(monotonic() - running.started_at)
            self.admission.release()
        await asyncio.sleep(self._timing.resume_seconds)
        del self._running[running.session_id]

    async def _play(self, running: RunningSession, conclusion: Conclusion) -> None:
        """Feed frames and time to the attempt until it is over, given up or lost; a failure ends it, unpassed."""
        last = monotonic() + self._timing.longest_seconds
        try:
            while not (running.attempt.finished or running.aborted or self._lost(running) or monotonic() > last):
                for prompt in await self._step(running):
                    running.tell(prompt_message(prompt))
                    if _nears_the_end(prompt) and running.preparing is None:
                        running.preparing = self._task(
                            self._prepare(running, conclusion), name=f"prepare {running.session_id}"
                        )
        except Exception as error:
            running.failed, running.failure = True, self._failure(running, error)

    async def _prepare(self, running: RunningSession, conclusion: Conclusion) -> None:
        """What goes wrong here is done again at the end; if it goes wrong there, too, nobody is accepted."""
        try:
            await conclusion.prepare()
        except Exception as error:
            code = getattr(error, "code", None)
            why = {"exc_info": error} if code is None else {"code": str(code)}
            self._log.warning("preparing_failed", session_id=running.session_id, **why)

    async def _step(self, running: RunningSession) -> tuple[Prompt, ...]:
        if not await running.has_frame():
            return running.attempt.tick(now=monotonic())
        analysed = await self._pool.run_in_turn(
            running.session_id, lambda: partial(_analyse, running.attempt, running.next_frame())
        )
        self._note(analysed)
        return analysed.prompts

    def _note(self, analysed: Analysed) -> None:
        latency = monotonic() - analysed.arrived.at
        self._metrics.frames.labels(fate="analysed").inc()
        self._metrics.ended("live_frame", latency)
        self._metrics.took("live_frame_cpu", analysed.cpu_seconds)
        self.admission.measures.frame(cpu_seconds=analysed.cpu_seconds, latency_seconds=latency)

    def _lost(self, running: RunningSession) -> bool:
        gone = running.detached_at
        return gone is not None and monotonic() - gone > self._timing.resume_seconds

    async def _conclude(self, running: RunningSession, conclusion: Conclusion) -> Message:
        """Decide, record, and wait for the next line of the result grid."""
        started = monotonic()
        message = await self._decided(running, conclusion)
        elapsed = monotonic() - started
        grid = self._timing.result_seconds
        await asyncio.sleep(max(1, ceil(elapsed / grid)) * grid - elapsed)
        return running.failure or message

    async def _decided(self, running: RunningSession, conclusion: Conclusion) -> Message:
        try:
            with self._metrics.stage("decide"):
                evidence = await asyncio.to_thread(running.attempt.evidence)  # no network: waits for nobody's frames
                if running.preparing is not None:
                    await running.preparing
                return await conclusion.conclude(replace(evidence, interrupted=True) if running.failed else evidence)
        except Exception as error:
            return self._failure(running, error)

    def _failure(self, running: RunningSession, error: Exception) -> Message:
        """What the phone is told when the work itself failed."""
        code = getattr(error, "code", None)
        if code is None:
            self._log.error("session_failed", session_id=running.session_id, exc_info=error)
            return problem_message("internal_error", "the service failed; nothing was accepted")
        self._log.warning("session_refused", session_id=running.session_id, code=code)
        return problem_message(str(code), str(error), getattr(error, "retry_after", None))


def _analyse(attempt: Attempt, arrived: Arrived) -> Analysed:
    """On a worker's thread."""
    started, frame = thread_time(), arrived.frame
    prompts = attempt.receive(jpeg=frame.jpeg, nonce=frame.nonce, seq=frame.seq, now=arrived.at)
    return Analysed(arrived, prompts, thread_time() - started)


def _nears_the_end(prompt: Prompt) -> bool:
    """Whether it is the last cue that everybody is asked."""
    return isinstance(prompt, Ask) and prompt.index == prompt.total - 1


def _same(one: str, other: str) -> bool:
    """Compare in constant time, also for different lengths."""
    return compare_digest(sha256(one.encode()).digest(), sha256(other.encode()).digest())
