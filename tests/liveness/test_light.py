from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.colours import HIGH, SCREENS_PER_CHALLENGE, Colour, draw_colours
from liveness.light import LightAnswer, LitFrame, measure_light
from models.illumination import Illumination

PER_SCREEN = 5
BASE = np.array([0.30, 0.24, 0.20])
DARK, WALL = 0.15 * BASE, np.array([0.25, 0.25, 0.22])


def filmed(
    colours: Sequence[Colour],
    *,
    skin: float = 0.0,
    wall: float = 0.0,
    paint: float = 0.0,
    lag: int = 0,
    exposure: float = 0.0,
    noise: float = 0.003,
    seed: int = 0,
) -> list[LitFrame]:
    """Frames under a sequence.

    `skin`, `wall`: the screen's light as a share of the room's; `paint`: light that is added to the face alone;
    `exposure`: how far the camera's automatics wander.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for place in range(PER_SCREEN * len(colours)):
        emitted = np.array(colours[max(0, place - lag) // PER_SCREEN].linear)
        gain = np.exp(exposure * np.sin(0.7 * place) + exposure * rng.standard_normal(3) * 0.3)
        parts = [
            BASE * (1 + skin * emitted) + paint * emitted,
            DARK * (1 + skin * emitted) + paint * emitted,
            WALL * (1 + wall * emitted),
        ]
        seen = [gain * part * np.exp(noise * rng.standard_normal(3)) for part in parts]
        face, features, background = (tuple(float(value) for value in part) for part in seen)
        frames.append(LitFrame(place // PER_SCREEN, Illumination(face, features, background)))  # type: ignore[arg-type]
    return frames


def answer(colours: Sequence[Colour], **how: float) -> LightAnswer:
    found = measure_light(filmed(colours, **how), colours)  # type: ignore[arg-type]
    assert found is not None
    return found


COLOURS = draw_colours(Random(7))


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
def test_a_face_answers_and_the_lag_is_found(lag: int) -> None:
    found = answer(COLOURS, skin=0.15, wall=0.005, lag=lag)
    assert found.lag == lag
    assert found.correlation > 0.9
    assert found.chance < 0.005
    assert found.gain == pytest.approx(0.14, abs=0.03)
    assert found.texture == pytest.approx(1.0, abs=0.2)


def test_automatic_exposure_and_white_balance_do_not_decide() -> None:
    assert answer(COLOURS, skin=0.15, wall=0.005, exposure=0.3).chance < 0.005


def test_strong_light_of_the_room_leaves_nothing_to_see() -> None:
    assert answer(COLOURS, skin=0.0005).chance > 0.01


def test_what_lights_everything_alike_is_no_answer() -> None:
    assert answer(COLOURS, skin=0.2, wall=0.2).gain < 0.01


def test_paint_answers_more_where_it_is_dark() -> None:
    found = answer(COLOURS, paint=0.04)
    assert found.chance < 0.005
    assert found.texture > 3


@settings(max_examples=40)
@given(st.integers(0, 10**9))
def test_another_sequence_than_the_one_shown_hardly_ever_passes(seed: int) -> None:
    shown, told = draw_colours(Random(seed)), draw_colours(Random(seed + 1))
    found = measure_light(filmed(shown, skin=0.2, seed=seed), told)
    assert found is not None
    assert found.chance > 0.002 or found.correlation < 0.9


def test_chance_is_what_it_says() -> None:
    """Of clips without any answer, about one in ten beats nine in ten other sequences: the lag search is included."""
    chances = []
    for seed in range(120):
        found = measure_light(filmed(COLOURS, noise=0.05, seed=seed), COLOURS)
        assert found is not None
        chances.append(found.chance)
    assert 0.02 < np.mean(np.array(chances) <= 0.1) < 0.2


def test_too_few_frames_or_black_ones_say_nothing() -> None:
    assert measure_light(filmed(COLOURS, skin=0.2)[:10], COLOURS) is None
    black = Illumination((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert measure_light([LitFrame(place // 5, black) for place in range(40)], COLOURS) is None


@given(st.integers())
def test_colours_are_safe_and_say_three_different_things(seed: int) -> None:
    colours = draw_colours(Random(seed))
    assert len(colours) == SCREENS_PER_CHALLENGE
    assert all(before != after for before, after in pairwise(colours))
    for colour in colours:
        assert colour.red / (colour.red + colour.green + colour.blue) < 0.8  # WCAG 2.2: saturated red
    on = np.array([[each == HIGH for each in (colour.red, colour.green, colour.blue)] for colour in colours])
    assert (on.sum(axis=0) >= 3).all()
    assert (on.sum(axis=0) <= 5).all()
