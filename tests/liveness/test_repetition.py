from random import Random
from statistics import median

import numpy as np
from observations import CUES, face, motion_towards, observed

from liveness.challenge import Challenge, Cue, draw_challenge
from liveness.observation import Observation
from liveness.repetition import least_difference

CHALLENGE = draw_challenge(Random(3))


def performed(challenge: Challenge, *, alike: bool, seed: int, blur: float = 0.004) -> list[Observation]:
    """All cues answered at 8 frames a second; `alike`: as a prepared clip does, else as a person does.

    `blur`: error of landmarks and tracks, in distances between the eyes.
    """
    rng = np.random.default_rng(seed)
    at, frames = 0.0, []
    for cue, nonce in zip(challenge.cues, challenge.nonces, strict=True):
        reach, seconds, height = (1.3, 0.6, 0.5) if alike else rng.uniform((1.0, 0.45, 0.48), (1.6, 0.95, 0.52))
        begin = at + rng.uniform(0.4, 0.8)
        while at < begin + 1.2:
            at += 0.125
            share = reach * min(max((at - begin) / seconds, 0.0), 1.0)
            error = blur * rng.standard_normal(2) * 0.17
            view = face(motion=motion_towards(cue, share), centre_x=0.5 + error[0], centre_y=height + error[1])
            frames.append(observed(at, view, nonce=nonce))
    return frames


def differences(*, alike: bool) -> list[float]:
    found = [least_difference(performed(CHALLENGE, alike=alike, seed=seed), CHALLENGE, CUES) for seed in range(12)]
    return [difference for difference in found if difference is not None]


def test_a_clip_that_is_played_again_is_alike_and_a_person_is_not() -> None:
    again, anew = differences(alike=True), differences(alike=False)
    assert len(again) == len(anew) == 12
    assert max(again) < 0.015
    assert median(anew) > 3 * median(again)


def test_every_challenge_can_be_judged() -> None:
    for seed in range(50):
        challenge = draw_challenge(Random(seed))
        assert least_difference(performed(challenge, alike=True, seed=seed), challenge, CUES) is not None


def test_no_cue_twice_says_nothing() -> None:
    frames = performed(CHALLENGE, alike=True, seed=1)
    first = [frame for frame in frames if frame.nonce == CHALLENGE.nonces[0]]
    assert least_difference(first, CHALLENGE, CUES) is None
    assert CHALLENGE.cues.count(Cue.TURN_LEFT) + CHALLENGE.cues.count(Cue.TURN_RIGHT) > 2
