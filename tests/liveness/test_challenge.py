from collections import Counter
from itertools import pairwise
from random import Random, SystemRandom

from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge import (
    CUES_PER_CHALLENGE,
    MORE_CUES,
    MOTIONS,
    PAUSE_SECONDS,
    SCRIPTS,
    TURNS,
    Accommodation,
    Cue,
    Repertoire,
    draw_challenge,
)

accommodations = st.builds(Accommodation, repertoire=st.sampled_from(Repertoire), light=st.booleans())


@given(st.integers(), accommodations)
def test_every_script_keeps_to_its_repertoire_and_repeats_a_motion_that_shows_depth(
    seed: int, accommodation: Accommodation
) -> None:
    challenge = draw_challenge(Random(seed), accommodation)
    always = challenge.cues[:CUES_PER_CHALLENGE]
    assert len(challenge.cues) == CUES_PER_CHALLENGE + MORE_CUES
    assert set(challenge.cues) <= set(MOTIONS[accommodation.repertoire])
    assert all(first != second for first, second in pairwise(challenge.cues))
    if accommodation.repertoire is Repertoire.ALL:
        assert set(always) >= TURNS
        assert max(always.count(turn) for turn in TURNS) > 1
    else:
        assert always.count(Cue.COME_CLOSER) > 1
    assert bool(challenge.screens) == accommodation.light


@given(st.integers(), accommodations)
def test_nonces_are_all_different_and_pauses_are_inside_their_limits(seed: int, accommodation: Accommodation) -> None:
    challenge = draw_challenge(Random(seed), accommodation)
    nonces = (*challenge.nonces, *challenge.rests, *(screen.nonce for screen in challenge.screens))
    assert len(set(nonces)) == 2 * len(challenge.cues) + len(challenge.screens)
    assert all(len(nonce) == 8 for nonce in nonces)
    assert all(PAUSE_SECONDS[0] <= pause <= PAUSE_SECONDS[1] for pause in challenge.pauses)


def test_scripts_are_drawn_evenly() -> None:
    rng = Random(1)
    scripts = SCRIPTS[Repertoire.ALL]
    plain = Accommodation(light=False)
    counts = Counter(draw_challenge(rng, plain).cues[:CUES_PER_CHALLENGE] for _ in range(40 * len(scripts)))
    assert set(counts) == set(scripts)
    assert min(counts.values()) > 15  # mean 40, standard deviation 6.3: four deviations below
    assert max(counts.values()) < 66


def test_a_guess_is_hardly_ever_right() -> None:
    assert len(SCRIPTS[Repertoire.ALL]) > 300


def test_system_randomness_never_repeats_a_challenge() -> None:
    drawn = {draw_challenge(SystemRandom()).id for _ in range(200)}
    assert len(drawn) == 200
