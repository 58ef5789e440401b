"""Whether one more live session is taken: decided before it costs anybody anything, from what the others cost.

A session that was let in is served to its end. So the question is asked when a session is opened, and what is promised
there is kept for the claim that follows.
"""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from api.errors import OverloadedError
from api.metrics import Metrics

PROMISE_SECONDS = 10.0
"""How long a place is kept for a session that was opened and not claimed yet: a page claims at once."""

RETRY_SECONDS = (1.0, 30.0)
"""Shortest and longest time after which to come again."""

FRAME_GAP_SECONDS = (0.1, 1.0)
"""Between frames of one session as they are counted: a phone that floods or stands still says little of the others."""


class Why(StrEnum):
    """What is short."""

    PLACES = "places"
    LOAD = "load"
    LATENCY = "latency"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a process takes."""

    sessions: int
    """At once, whatever they cost."""
    load: float
    """Share of all workers' time that the frames of live sessions may need, if all were analysed."""
    latency_seconds: float
    """From a frame's arrival to its answer, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is under way, as measured."""

    sessions: int
    """Under way, or promised a place."""
    frame_cpu_seconds: float
    """Of one core, for one frame."""
    frames_per_second: float
    """That one session sends."""
    latency_seconds: float
    """From a frame's arrival to its answer, on average."""
    session_seconds: float
    """That a session lasts."""
    workers: int

    @property
    def each(self) -> float:
        """Share of all workers' time that one session needs."""
        return self.frames_per_second * self.frame_cpu_seconds / self.workers


@dataclass(frozen=True, slots=True)
class Refusal:
    """One more session is not taken; `retry_after` seconds."""

    why: Why
    retry_after: float


def refusal(load: Load, bounds: Bounds) -> Refusal | None:
    """Whether one more session would be too much; None if it is taken. Pure.

    Where nobody is under way one is always taken: what was measured before may no longer be true.
    """
    if load.sessions >= bounds.sessions:
        return Refusal(Why.PLACES, _retry_after(load, too_many=load.sessions + 1 - bounds.sessions))
    if load.sessions == 0:
        return None
    if (load.sessions + 1) * load.each > bounds.load:
        return Refusal(Why.LOAD, _retry_after(load, too_many=load.sessions + 1 - bounds.load / load.each))
    if load.latency_seconds > bounds.latency_seconds:
        return Refusal(Why.LATENCY, _retry_after(load, too_many=1))
    return None


def _retry_after(load: Load, *, too_many: float) -> float:
    """When so many will have ended, if sessions end evenly."""
    least, most = RETRY_SECONDS
    return min(most, max(least, load.session_seconds * max(1.0, too_many) / load.sessions))


@dataclass(slots=True)
class Average:
    """A moving average that begins with a guess, which soon counts for little."""

    value: float
    most: int = 64
    """Values that it is an average of, about."""
    _count: int = field(default=8, init=False)

    def note(self, value: float) -> None:
        """Take one more value into account."""
        self._count = min(self.most, self._count + 1)
        self.value += (value - self.value) / self._count


class Measures:
    """Moving averages of what live sessions cost. The guesses are those of a laptop's core."""

    def __init__(self) -> None:
        self._frame = Average(0.02)
        self._gap = Average(0.125)
        self._latency = Average(0.03)
        self._session = Average(25.0, most=16)

    def frame(self, *, cpu_seconds: float, latency_seconds: float) -> None:
        """A frame was analysed."""
        self._frame.note(cpu_seconds)
        self._latency.note(latency_seconds)

    def arrived(self, gap_seconds: float) -> None:
        """A frame came so long after the one before, of the same session; whether it was analysed or not."""
        least, most = FRAME_GAP_SECONDS
        self._gap.note(min(most, max(least, gap_seconds)))

    def ended(self, session_seconds: float) -> None:
        """A session came to its end."""
        self._session.note(session_seconds)

    def load(self, *, sessions: int, workers: int) -> Load:
        """What is under way now."""
        return Load(
            sessions=sessions,
            frame_cpu_seconds=self._frame.value,
            frames_per_second=1 / self._gap.value,
            latency_seconds=self._latency.value,
            session_seconds=self._session.value,
            workers=workers,
        )


class Admission:
    """Counts the live sessions of this process, and the places that it has promised. For one event loop."""

    def __init__(self, *, bounds: Bounds, workers: int, metrics: Metrics) -> None:
        self.measures = Measures()
        self.draining = False
        self._bounds = bounds
        self._workers = workers
        self._metrics = metrics
        self._taken = 0
        self._promised: dict[str, asyncio.TimerHandle] = {}

    @property
    def taken(self) -> int:
        """Places of sessions that run, are being opened or claimed, or were promised one."""
        return self._taken

    @property
    def load(self) -> Load:
        """What is under way now."""
        return self.measures.load(sessions=self._taken, workers=self._workers)

    def admit(self) -> None:
        """Take a place. `release` or `promise` must follow.

        Raises:
            OverloadedError: `overloaded`, or `draining` when the process is about to stop; nothing was burnt.
        """
        if self.draining:
            self._metrics.live_refused.labels(why=Why.DRAINING).inc()
            raise OverloadedError(draining=True)
        refused = refusal(self.load, self._bounds)
        if refused is not None:
            self._metrics.live_refused.labels(why=refused.why).inc()
            raise OverloadedError(retry_after=refused.retry_after)
        self._take(1)

    def promise(self, session_id: str) -> None:
        """Keep the place that was taken for the claim of this session, for a while."""
        loop = asyncio.get_running_loop()
        self._promised[session_id] = loop.call_later(PROMISE_SECONDS, self._lapse, session_id)

    def enter(self, session_id: str) -> None:
        """Take the place that was promised to a session, also when the process drains; else one like anybody.

        `release` must follow.

        Raises:
            OverloadedError: none was promised here (any more), and there is none.
        """
        promised = self._promised.pop(session_id, None)
        if promised is None:
            self.admit()
        else:
            promised.cancel()

    def release(self) -> None:
        """Give a place back."""
        self._take(-1)

    def close(self) -> None:
        """Forget what was promised."""
        for session_id in list(self._promised):
            self._promised[session_id].cancel()
            self._lapse(session_id)

    def _lapse(self, session_id: str) -> None:
        del self._promised[session_id]
        self.release()

    def _take(self, places: int) -> None:
        self._taken += places
        self._metrics.live_sessions.set(self._taken)
        self._metrics.live_load.set(self._taken * self.load.each)
