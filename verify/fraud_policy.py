"""What the policy says about signs of fraud across sessions: at which value each fires, and what follows."""

from dataclasses import dataclass
from typing import Literal

Does = Literal["refuse", "refer", "flag"]
"""Refuse the attempt, send the person to the window, or let it pass with a note in the audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudRule:
    """One sign: `does` follows when the measured value is `at_least` this."""

    does: Does
    at_least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudPolicy:
    """Rules by sign, and how far back each looks."""

    face_in_case: FraudRule
    """Largest cosine of the live face with the template of another person of the case."""
    face_across_cases: FraudRule
    """The same with templates of other people in other cases."""
    same_frames: FraudRule
    """Frames that came to the byte in one other session."""
    similar_frames: FraudRule
    """Share of the distinct frames that are near-identical to frames of one other session, 0 to 1."""
    pace: FraudRule
    """People who had a session from one network address."""
    device_pace: FraudRule
    """People who had a session on one device, as far as its page says which it is."""
    faces_days: float
    faces_most: int
    """Templates that are looked back at: of sessions up to so many days ago, and the newest of these."""
    frames_hours: float
    frames_most: int
    """Sessions whose frames are looked back at."""
    frames_bits: int
    """Largest distance of near-identical fingerprints (`models.fingerprint`)."""
    frames_distinct_bits: int
    """Least distance at which a frame is another one than the frame before."""
    frames_least: int
    """Distinct frames below which a session says nothing."""
    pace_hours: float
