from random import Random

import pytest
from observations import face, motion_towards, observed

from liveness.challenge import Challenge, draw_challenge
from liveness.observation import Observation
from liveness.reaction import measure_reactions
from verify.policy import load_policy

CUES = load_policy().liveness.cues
CHALLENGE = draw_challenge(Random(3))


def answers(challenge: Challenge, delays: list[float], *, gaps: float = 0.125) -> list[Observation]:
    """Each cue answered after a delay, in half a second; rests between."""
    at, frames = 0.0, []
    for place, delay in enumerate(delays):
        for _ in range(6):
            at += gaps
            frames.append(observed(at, nonce=challenge.rests[place]))
        opened = at + gaps
        for _ in range(16):
            at += gaps
            share = min(max((at - opened - delay) / 0.5, 0.0), 1.0)
            view = face(motion=motion_towards(challenge.cues[place], share))
            frames.append(observed(at, view, nonce=challenge.nonces[place]))
    return frames


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6])
def test_the_begin_of_a_motion_is_found_between_the_frames(delay: float) -> None:
    found = measure_reactions(answers(CHALLENGE, [delay] * 5), CHALLENGE, CUES)
    assert found.typical == pytest.approx(delay + 0.125, abs=0.03)  # a quarter of the way, at an even speed
    assert found.spread < 0.01


def test_different_delays_spread() -> None:
    found = measure_reactions(answers(CHALLENGE, [0.2, 0.5, 0.3, 0.8, 0.4]), CHALLENGE, CUES)
    assert len(found.seconds) == 5
    assert found.spread > 0.15


def test_a_burst_says_nothing() -> None:
    assert measure_reactions(answers(CHALLENGE, [0.3] * 5, gaps=0.01), CHALLENGE, CUES).seconds == ()
