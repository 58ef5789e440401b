"""Runs an actor against a live session on a simulated clock: the service's own path, without waiting.

Every event has its time: a frame is shot, arrives over the line, is analysed, and the prompts travel back.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random

import numpy as np

from benchmarks.phone.camera import Camera, CameraModel, OpenCamera
from benchmarks.phone.network import Line, Network
from benchmarks.phone.person import Actor
from liveness.prompts import Ask, Done, Light, Prompt, Rest
from verify.evidence import Evidence
from verify.live import LiveSession

TICK_SECONDS = 0.25
LONGEST_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Shoot:
    """The phone takes its next picture."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The service lets time pass."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame reaches the service."""

    jpeg: bytes
    nonce: str
    seq: int


Event = Shoot | Tick | Arrival | Prompt


@dataclass(slots=True)
class Offline:
    """One session of one actor. The session must have been started at 0 seconds."""

    actor: Actor
    session: LiveSession
    rng: Random
    camera: CameraModel = field(default_factory=Camera)
    network: Network = field(default_factory=Network)
    frames_per_second: float = 8.0
    _events: list[tuple[float, int, Event]] = field(default_factory=list, init=False)
    _order: "count[int]" = field(default_factory=count, init=False)
    _nonce: str = field(default="", init=False)
    _seq: int = field(default=0, init=False)
    _shutter: OpenCamera = field(init=False)
    _up: Line = field(init=False)
    _down: Line = field(init=False)

    def __post_init__(self) -> None:
        self._shutter = self.camera.open(np.random.default_rng(self.rng.getrandbits(32)))
        self._up, self._down = Line(self.network, self.rng), Line(self.network, self.rng)

    def run(self) -> Evidence:
        """Play the session to its end."""
        self._plan(0.0, Shoot())
        self._plan(0.0, Tick())
        at = 0.0
        while not self.session.finished and at <= LONGEST_SECONDS:
            at, _, event = heappop(self._events)
            self._handle(at, event)
        return self.session.evidence()

    def _handle(self, at: float, event: Event) -> None:
        match event:
            case Shoot():
                self._shoot(at)
            case Tick():
                self._send(self.session.tick(now=at), at)
                self._plan(at + TICK_SECONDS, event)
            case Arrival(jpeg, nonce, seq):
                self._send(self.session.receive(jpeg=jpeg, nonce=nonce, seq=seq, now=at), at)
            case prompt:
                self._show(prompt, at)

    def _plan(self, at: float, event: Event) -> None:
        heappush(self._events, (at, next(self._order), event))

    def _shoot(self, at: float) -> None:
        picture = self._shutter.shoot(self.actor.scene(at), at, self.actor.glow(at))
        self._plan(self._up.arrival(at), Arrival(picture, self._nonce, self._seq))
        self._plan(at + 1 / self.frames_per_second, Shoot())
        self._seq += 1

    def _send(self, prompts: tuple[Prompt, ...], at: float) -> None:
        arrives = self._down.arrival(at) if prompts else at
        for prompt in prompts:
            self._plan(arrives, prompt)

    def _show(self, prompt: Prompt, at: float) -> None:
        """The prompt appears on the phone; frames carry its nonce from now on."""
        match prompt:
            case Ask(cue=cue, nonce=nonce):
                self._nonce = nonce
                self.actor.told("ask", cue, at)
            case Light(colour=colour, nonce=nonce):
                self._nonce = nonce
                self.actor.told("light", colour.hex, at)
            case Rest(nonce=nonce):
                self._nonce = nonce
                self.actor.told("rest", None, at)
            case Done():
                self.actor.told("done", None, at)
