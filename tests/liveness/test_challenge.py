from itertools import pairwise
from random import Random, SystemRandom

from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge import PAUSE_SECONDS, SCRIPTS, TURNS, draw_challenge


@given(st.integers())
def test_every_drawn_script_asks_both_turns_and_never_the_same_cue_twice_in_a_row(seed: int) -> None:
    challenge = draw_challenge(Random(seed))
    assert set(challenge.cues) >= TURNS
    assert all(first != second for first, second in pairwise(challenge.cues))


@given(st.integers())
def test_nonces_are_all_different_and_pauses_are_inside_their_limits(seed: int) -> None:
    challenge = draw_challenge(Random(seed))
    nonces = challenge.nonces + challenge.rests
    assert len(set(nonces)) == 2 * len(challenge.cues)
    assert all(len(nonce) == 8 for nonce in nonces)
    assert all(PAUSE_SECONDS[0] <= pause <= PAUSE_SECONDS[1] for pause in challenge.pauses)


def test_scripts_are_drawn_evenly() -> None:
    rng = Random(1)
    drawn = [draw_challenge(rng).cues for _ in range(40 * len(SCRIPTS))]
    counts = [drawn.count(script) for script in SCRIPTS]
    assert sum(counts) == len(drawn)
    assert min(counts) > 15  # mean 40, standard deviation 6.3: four deviations below
    assert max(counts) < 66


def test_system_randomness_never_repeats_a_challenge() -> None:
    drawn = {draw_challenge(SystemRandom()).id for _ in range(200)}
    assert len(drawn) == 200
