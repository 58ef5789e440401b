"""What the bench asks of a peer."""

import os
from collections.abc import Callable
from dataclasses import dataclass


class PeerMissingError(Exception):
    """A peer cannot take part; the message says what it wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A system that compares two photos of one face each."""

    name: str
    version: str
    how: str
    """Weights and settings, in a few words."""
    compare: Callable[[bytes, bytes], float]
    """Similarity of two encoded photos, in the peer's own measure; raises what it raises."""


def stay_on_one_core() -> None:
    """Let this process run on one core from now on: the only bound on threads that all peers obey.

    Does nothing where the system has no such call.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
