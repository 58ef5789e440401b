import pytest
from rendered_points import EYES_NOSE_MOUTH, bent_points, head_points, seen, sheet_points

from liveness.perspective import Perspective, measure_perspective

NEAR, FAR = 290.0, 400.0


def between(points, *, noise: float = 0.0, tilt: float = 0.0) -> Perspective:  # type: ignore[no-untyped-def]
    far = seen(points, distance=FAR, yaw=tilt, noise=noise, seed=1)
    near = seen(points, distance=NEAR, yaw=tilt, noise=noise, seed=2)
    found = measure_perspective(far, near, seen(EYES_NOSE_MOUTH, distance=FAR))
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_head_that_comes_closer_bulges(seed: int) -> None:
    found = between(head_points(seed=seed), noise=0.3)
    assert found.growth == pytest.approx(FAR / NEAR, abs=0.06)
    assert 0.06 < found.nearness < 0.30


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tilt", [0.0, 25.0, -40.0])
def test_a_sheet_that_comes_closer_does_not_however_it_is_tilted(seed: int, tilt: float) -> None:
    assert abs(between(sheet_points(seed=seed), noise=0.3, tilt=tilt).nearness) < 0.06


def test_bent_paper_bulges_less_than_a_head_or_as_much_but_never_inwards() -> None:
    assert between(bent_points(75.0), noise=0.3).nearness > 0


def test_too_few_points_say_nothing() -> None:
    points = seen(head_points(10))
    assert measure_perspective(points, points, seen(EYES_NOSE_MOUTH)) is None


def test_what_did_not_grow_has_no_nearness() -> None:
    assert Perspective(bulge=0.1, growth=1.0).nearness == 0.0
    assert Perspective(bulge=0.1, growth=0.8).nearness == 0.0
