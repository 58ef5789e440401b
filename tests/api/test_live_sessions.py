import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import cast
from unittest.mock import ANY

import pytest
from structlog.stdlib import get_logger
from structlog.testing import capture_logs

from api.admission import Admission, Bounds
from api.errors import OverloadedError, StreamError
from api.frames import CaptureFrame
from api.inference import InferencePool
from api.live_sessions import LiveSessions, RunningSession, Timing
from api.messages import Message, result_message
from api.metrics import Metrics
from liveness.challenge import Cue
from liveness.prompts import Ask, Done, Prompt, Rest
from models.errors import EngineUnavailableError, ImageError
from verify.errors import StoreUnavailable
from verify.evidence import Evidence

GRID = 0.15


@dataclass(frozen=True)
class Measured:
    """Of evidence what this module looks at."""

    interrupted: bool = False


NOTHING_MEASURED = cast(Evidence, Measured())


@dataclass
class ScriptedAttempt:
    """Ends after `frames_wanted` frames; fails on a frame that says so. Before the end it tells `prompts` in turn."""

    frames_wanted: int = 2
    prompts: tuple[Prompt, ...] = ()
    seen: list[int] = field(default_factory=list)
    ticks: int = 0

    @property
    def finished(self) -> bool:
        return len(self.seen) >= self.frames_wanted

    def receive(self, *, jpeg: bytes, nonce: str, seq: int, now: float) -> tuple[Prompt, ...]:  # noqa: ARG002
        if jpeg == b"broken":
            raise ImageError("image_truncated", "the picture ends early; send it whole")
        self.seen.append(seq)
        if jpeg == b"too late":
            raise EngineUnavailableError("it was there a moment ago")
        if self.finished:
            return (Done(),)
        told = len(self.seen) - 1
        return (self.prompts[told],) if told < len(self.prompts) else (Rest(nonce=f"{seq:08x}"),)

    def tick(self, *, now: float) -> tuple[Prompt, ...]:  # noqa: ARG002
        self.ticks += 1
        return ()

    def evidence(self) -> Evidence:
        return NOTHING_MEASURED


async def accept(_: Evidence) -> Message:
    return result_message(outcome="accepted", reason=None, attempts_left=2)


def frame(seq: int, jpeg: bytes = b"jpeg") -> CaptureFrame:
    return CaptureFrame(nonce="", seq=seq, client_ms=0, jpeg=jpeg)


@pytest.fixture
async def live_sessions() -> AsyncIterator[LiveSessions]:
    pool = InferencePool(workers=1, queue=1)
    timing = Timing(resume_seconds=0.3, result_seconds=GRID)
    metrics = Metrics()
    bounds = Bounds(sessions=1, load=1.0, latency_seconds=1.0)
    admission = Admission(bounds=bounds, workers=1, metrics=metrics)
    sessions = LiveSessions(pool=pool, admission=admission, metrics=metrics, log=get_logger(), timing=timing)
    yield sessions
    await sessions.close()
    pool.close()


async def nothing() -> None:
    pass


@dataclass
class Ending:
    """A conclusion of two functions."""

    concluding: Callable[[Evidence], Awaitable[Message]] = accept
    preparing: Callable[[], Awaitable[None]] = nothing

    async def prepare(self) -> None:
        await self.preparing()

    async def conclude(self, evidence: Evidence) -> Message:
        return await self.concluding(evidence)


def start(
    sessions: LiveSessions, attempt: ScriptedAttempt, finish: Callable[[Evidence], Awaitable[Message]] = accept
) -> RunningSession:
    sessions.admission.admit()
    return sessions.start(session_id="ses_1", attempt=attempt, conclusion=Ending(finish))


async def messages_until_the_end(running: RunningSession) -> list[Message]:
    messages = [await running.outbox.get()]
    while messages[-1]["type"] not in {"result", "problem"}:
        messages.append(await running.outbox.get())
    return messages


async def test_frames_lead_to_prompts_and_a_result(live_sessions: LiveSessions) -> None:
    attempt = ScriptedAttempt()
    running = start(live_sessions, attempt)
    running.put(frame(1), outbox=running.outbox)
    assert (await running.outbox.get())["type"] == "rest"
    running.put(frame(2), outbox=running.outbox)
    assert [message["type"] for message in await messages_until_the_end(running)] == ["done", "result"]
    assert live_sessions.admission.taken == 0


async def test_time_passes_without_frames(live_sessions: LiveSessions) -> None:
    attempt = ScriptedAttempt()
    start(live_sessions, attempt)
    await asyncio.sleep(0.15)
    assert attempt.ticks >= 1


async def test_the_place_is_taken_before_anything_is_burnt(live_sessions: LiveSessions) -> None:
    start(live_sessions, ScriptedAttempt())
    with pytest.raises(OverloadedError) as caught:
        live_sessions.admission.admit()
    assert caught.value.code == "overloaded"


async def test_a_draining_process_takes_no_session(live_sessions: LiveSessions) -> None:
    live_sessions.admission.draining = True
    with pytest.raises(OverloadedError) as caught:
        live_sessions.admission.admit()
    assert caught.value.code == "draining"


@pytest.mark.parametrize("outcome", ["accepted", "rejected"])
@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_results_leave_on_one_grid_however_long_the_decision_took(
    live_sessions: LiveSessions, outcome: str, seconds: float
) -> None:
    async def finish(_: Evidence) -> Message:
        await asyncio.sleep(seconds)
        return result_message(outcome=outcome, reason=None, attempts_left=0)

    running = start(live_sessions, ScriptedAttempt(frames_wanted=1), finish)
    running.put(frame(1), outbox=running.outbox)
    assert (await running.outbox.get())["type"] == "done"
    told = monotonic()
    await running.outbox.get()
    assert monotonic() - told == pytest.approx(GRID, abs=0.04)


def ask(index: int, *, total: int) -> Ask:
    return Ask(index=index, total=total, cue=Cue.TURN_LEFT, nonce=f"{index:08x}", seconds=7.0)


@pytest.mark.parametrize(
    ("failure", "logged"),
    [
        (None, {}),
        (StoreUnavailable("the store does not answer"), {"code": "store_unavailable"}),
        (KeyError("a field that is not there"), {"exc_info": ANY}),
    ],
    ids=["done", "refused", "broken"],
)
async def test_what_need_not_wait_for_the_end_is_done_once_while_the_last_cue_is_answered(
    live_sessions: LiveSessions, failure: Exception | None, logged: dict[str, object]
) -> None:
    done: list[str] = []

    async def prepare() -> None:
        done.append("begun")
        await asyncio.sleep(0.05)
        if failure is not None:
            raise failure
        done.append("prepared")

    async def finish(evidence: Evidence) -> Message:
        done.append("concluded")
        return await accept(evidence)

    live_sessions.admission.admit()
    prompts = (ask(0, total=2), ask(1, total=2), ask(2, total=3))
    attempt = ScriptedAttempt(frames_wanted=4, prompts=prompts)
    begun = []
    with capture_logs() as lines:
        running = live_sessions.start(session_id="ses_1", attempt=attempt, conclusion=Ending(finish, prepare))
        for seq in range(1, 5):
            running.put(frame(seq), outbox=running.outbox)
            await running.outbox.get()
            await asyncio.sleep(0)
            begun.append(done.count("begun"))
        last = (await messages_until_the_end(running))[-1]
    assert begun == [0, 1, 1, 1]
    assert done == (["begun", "prepared", "concluded"] if failure is None else ["begun", "concluded"])
    told = {"event": "preparing_failed", "log_level": "warning", "session_id": "ses_1"}
    assert lines == ([told | logged] if failure is not None else [])
    assert last["outcome"] == "accepted"


async def test_a_session_that_never_comes_to_its_last_cue_is_concluded_unprepared(live_sessions: LiveSessions) -> None:
    prepared: list[str] = []

    async def prepare() -> None:
        prepared.append("prepared")

    live_sessions.admission.admit()
    attempt = ScriptedAttempt(frames_wanted=2, prompts=(ask(0, total=2),))
    running = live_sessions.start(session_id="ses_1", attempt=attempt, conclusion=Ending(accept, prepare))
    running.put(frame(1), outbox=running.outbox)
    await running.outbox.get()
    running.put(frame(2), outbox=running.outbox)
    assert (await messages_until_the_end(running))[-1]["outcome"] == "accepted"
    assert prepared == []


async def test_work_that_breaks_off_with_the_last_frame_verifies_nobody(live_sessions: LiveSessions) -> None:
    concluded: list[Evidence] = []

    async def finish(evidence: Evidence) -> Message:
        concluded.append(evidence)
        return result_message(outcome="accepted", reason=None, attempts_left=2)

    attempt = ScriptedAttempt(frames_wanted=1)
    running = start(live_sessions, attempt, finish)
    running.put(frame(1, b"too late"), outbox=running.outbox)
    (told,) = await messages_until_the_end(running)
    assert attempt.finished
    assert (told["type"], told["code"], told["retry_after"]) == ("problem", "engine_unavailable", 5.0)
    assert [evidence.interrupted for evidence in concluded] == [True]


async def test_an_undecodable_frame_ends_the_attempt_with_its_code(live_sessions: LiveSessions) -> None:
    concluded: list[Evidence] = []

    async def finish(evidence: Evidence) -> Message:
        concluded.append(evidence)
        return result_message(outcome="retry", reason="interrupted", attempts_left=2)

    running = start(live_sessions, ScriptedAttempt(), finish)
    running.put(frame(1, b"broken"), outbox=running.outbox)
    assert (await messages_until_the_end(running))[-1]["code"] == "image_truncated"
    assert len(concluded) == 1


async def test_a_store_that_dies_accepts_nothing(live_sessions: LiveSessions) -> None:
    async def finish(_: Evidence) -> Message:
        raise StoreUnavailable("the store does not answer")

    running = start(live_sessions, ScriptedAttempt(frames_wanted=1), finish)
    running.put(frame(1), outbox=running.outbox)
    last = (await messages_until_the_end(running))[-1]
    assert (last["type"], last["code"]) == ("problem", "store_unavailable")


async def test_an_unexpected_failure_accepts_nothing_and_tells_nothing(live_sessions: LiveSessions) -> None:
    async def finish(_: Evidence) -> Message:
        raise RuntimeError("a secret detail")

    running = start(live_sessions, ScriptedAttempt(frames_wanted=1), finish)
    running.put(frame(1), outbox=running.outbox)
    last = (await messages_until_the_end(running))[-1]
    assert last["code"] == "internal_error"
    assert "secret" not in last["detail"]


async def test_a_dropped_connection_resumes_once_with_what_is_in_force(live_sessions: LiveSessions) -> None:
    running = start(live_sessions, ScriptedAttempt())
    running.put(frame(1), outbox=running.outbox)
    rest = await running.outbox.get()
    old = running.outbox
    running.detach(outbox=old)
    resumed = live_sessions.resume(session_id="ses_1", secret=running.resume_secret)
    assert resumed is running
    assert await running.outbox.get() == rest
    assert (await old.get())["code"] == "resumed_elsewhere"
    with pytest.raises(StreamError) as caught:
        live_sessions.resume(session_id="ses_1", secret=running.resume_secret)
    assert caught.value.code == "resume_refused"


async def test_the_old_connection_has_no_say_after_a_takeover(live_sessions: LiveSessions) -> None:
    attempt = ScriptedAttempt()
    running = start(live_sessions, attempt)
    old = running.outbox
    live_sessions.resume(session_id="ses_1", secret=running.resume_secret)
    running.put(frame(1), outbox=old)
    running.abort(failure=None, outbox=old)
    running.detach(outbox=old)
    await asyncio.sleep(0.12)
    assert (attempt.seen, running.aborted, running.detached_at) == ([], False, None)


@pytest.mark.parametrize(("session_id", "secret"), [("ses_1", "wrong"), ("ses_2", "")])
async def test_resuming_needs_the_session_and_its_secret(
    live_sessions: LiveSessions, session_id: str, secret: str
) -> None:
    start(live_sessions, ScriptedAttempt())
    with pytest.raises(StreamError, match="open a new session"):
        live_sessions.resume(session_id=session_id, secret=secret)


async def test_a_phone_that_stays_away_is_concluded_as_it_stands(live_sessions: LiveSessions) -> None:
    running = start(live_sessions, ScriptedAttempt())
    running.detach(outbox=running.outbox)
    async with asyncio.timeout(2):
        assert (await messages_until_the_end(running))[-1]["type"] == "result"


async def test_giving_up_concludes_the_attempt(live_sessions: LiveSessions) -> None:
    running = start(live_sessions, ScriptedAttempt())
    running.abort(failure=None, outbox=running.outbox)
    async with asyncio.timeout(2):
        assert (await messages_until_the_end(running))[-1]["type"] == "result"


@dataclass
class SlowAttempt(ScriptedAttempt):
    """Keeps its thread busy, as a slow core does."""

    busy_seconds: float = 0.05
    nonces: list[str] = field(default_factory=list)

    def receive(self, *, jpeg: bytes, nonce: str, seq: int, now: float) -> tuple[Prompt, ...]:
        sleep(self.busy_seconds)
        self.nonces.append(nonce)
        return ScriptedAttempt.receive(self, jpeg=jpeg, nonce=nonce, seq=seq, now=now)

    def evidence(self) -> Evidence:
        sleep(self.busy_seconds)
        return NOTHING_MEASURED


async def test_of_frames_that_wait_only_the_newest_and_the_first_echo_are_analysed(live_sessions: LiveSessions) -> None:
    attempt = SlowAttempt(frames_wanted=3, busy_seconds=0.1)
    running = start(live_sessions, attempt)
    live_sessions.put(running, frame(1), outbox=running.outbox)
    nonce = (await running.outbox.get())["nonce"]
    live_sessions.put(running, frame(2), outbox=running.outbox)
    for seq in range(3, 9):
        echo = CaptureFrame(nonce=nonce, seq=seq, client_ms=0, jpeg=b"jpeg")
        live_sessions.put(running, echo, outbox=running.outbox)
    await messages_until_the_end(running)
    assert (attempt.seen, attempt.nonces) == ([1, 3, 8], ["", nonce, nonce])
    told = live_sessions._metrics.render().decode()
    assert 'heyan_frames_total{fate="superseded"} 5.0' in told
    assert 'heyan_frames_total{fate="analysed"} 3.0' in told


async def test_frames_and_evidence_that_take_long_never_hold_the_event_loop(live_sessions: LiveSessions) -> None:
    running = start(live_sessions, SlowAttempt(frames_wanted=3, busy_seconds=0.15))
    late, before = 0.0, monotonic()
    ended = asyncio.create_task(messages_until_the_end(running))
    seq = 0
    while not ended.done():
        live_sessions.put(running, frame(seq := seq + 1), outbox=running.outbox)
        await asyncio.sleep(0.005)
        late, before = max(late, monotonic() - before), monotonic()
    assert late < 0.1


async def test_what_frames_cost_is_measured(live_sessions: LiveSessions) -> None:
    before = live_sessions.admission.load
    running = start(live_sessions, SlowAttempt(frames_wanted=2))
    for seq in (1, 2):
        live_sessions.put(running, frame(seq), outbox=running.outbox)
        await asyncio.sleep(0.1)
    await messages_until_the_end(running)
    after = live_sessions.admission.load
    assert after.frame_cpu_seconds < before.frame_cpu_seconds
    assert after.latency_seconds > before.latency_seconds
    assert after.session_seconds < before.session_seconds
