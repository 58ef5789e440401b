import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.answer import Answer, extent, judge_motion, progress
from liveness.challenge import Cue
from liveness.motion import STILL, Motion
from verify.policy import load_policy

LIMITS = load_policy().liveness.cues
RIGHT = {
    Cue.TURN_LEFT: Motion(yaw=18, pitch=2, scale=1.0),
    Cue.TURN_RIGHT: Motion(yaw=-18, pitch=-2, scale=1.0),
    Cue.LOOK_UP: Motion(yaw=1, pitch=14, scale=1.0),
    Cue.LOOK_DOWN: Motion(yaw=1, pitch=-14, scale=1.0),
    Cue.COME_CLOSER: Motion(yaw=1, pitch=2, scale=1.3),
}


@pytest.mark.parametrize("asked", Cue)
@pytest.mark.parametrize("done", Cue)
def test_only_the_asked_motion_answers(asked: Cue, done: Cue) -> None:
    big = Motion(yaw=1.5 * RIGHT[done].yaw, pitch=1.5 * RIGHT[done].pitch, scale=1 + 1.5 * (RIGHT[done].scale - 1))
    assert judge_motion(asked, big, LIMITS) is (Answer.RIGHT if asked is done else Answer.WRONG)


@pytest.mark.parametrize("asked", Cue)
def test_stillness_answers_nothing(asked: Cue) -> None:
    assert judge_motion(asked, STILL, LIMITS) is Answer.NOT_YET
    assert progress(asked, STILL, LIMITS) == 0


@given(cue=st.sampled_from(Cue), share=st.floats(0, 0.99))
def test_half_a_motion_is_not_yet_an_answer(cue: Cue, share: float) -> None:
    full = {
        Cue.TURN_LEFT: Motion(yaw=share * LIMITS.turn_degrees, pitch=0, scale=1),
        Cue.TURN_RIGHT: Motion(yaw=-share * LIMITS.turn_degrees, pitch=0, scale=1),
        Cue.LOOK_UP: Motion(yaw=0, pitch=share * LIMITS.look_degrees, scale=1),
        Cue.LOOK_DOWN: Motion(yaw=0, pitch=-share * LIMITS.look_degrees, scale=1),
        Cue.COME_CLOSER: Motion(yaw=0, pitch=0, scale=1 + share * (LIMITS.closer_ratio - 1)),
    }
    assert judge_motion(cue, full[cue], LIMITS) is Answer.NOT_YET


def test_a_turn_that_is_not_quite_level_still_answers() -> None:
    tilted = Motion(yaw=20, pitch=1.1 * LIMITS.look_degrees, scale=1.0)
    assert judge_motion(Cue.TURN_LEFT, tilted, LIMITS) is Answer.RIGHT


@pytest.mark.parametrize("cue", Cue)
def test_extent_is_positive_in_the_direction_of_the_cue(cue: Cue) -> None:
    assert extent(cue, RIGHT[cue]) > 0
