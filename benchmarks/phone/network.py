"""The simulated phone's network: delay, jitter and one stall, in order as TCP delivers."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Seconds. `round_trip` is both ways together; jitter is added uniformly to each delivery."""

    round_trip: float = 0.04
    jitter: float = 0.0
    loss: float = 0.0
    """Share of deliveries that are lost once: TCP sends them again after a round trip and its least timeout."""
    stall_at: float | None = None
    """When, since the session's start, everything stands still once."""
    stall_seconds: float = 2.0


GOOD = Network()
"""At home."""

RESEND_SECONDS = 0.2
"""Least retransmission timeout of common TCP stacks."""

SLOW = Network(round_trip=0.6, jitter=0.3, stall_at=6.0)
"""A bad mobile network."""


class Line:
    """One direction of a network: when does what is sent at a time arrive?"""

    def __init__(self, network: Network, rng: Random) -> None:
        self._network, self._rng, self._last = network, rng, 0.0

    def arrival(self, sent: float) -> float:
        """Arrival of what is sent at `sent`; never before what was sent earlier."""
        network = self._network
        arrives = sent + network.round_trip / 2 + self._rng.uniform(0, network.jitter)
        if self._rng.random() < network.loss:
            arrives += network.round_trip + RESEND_SECONDS
        if network.stall_at is not None and network.stall_at <= arrives < network.stall_at + network.stall_seconds:
            arrives = network.stall_at + network.stall_seconds
        self._last = max(self._last, arrives)
        return self._last
