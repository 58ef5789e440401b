import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attack_detection import AttackDetector, Calibration, read_calibration
from models.engine import Engine
from models.errors import ModelError
from models.image import decode_image
from models.manifest import load_manifest
from models.pad_crops import FAR, NEAR, SIDE, pad_views, view
from models.prepare import read_shipped

BOX = np.array([200, 250, 120, 150], np.float32)


def picture(height: int = 640, width: int = 480) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width]
    return np.stack([across % 256, down % 256, (across + down) % 256], axis=-1).astype(np.uint8)


def test_a_view_is_the_box_enlarged_about_its_middle() -> None:
    white = np.zeros((2000, 2000, 3), np.uint8)
    white[1000 - 50 : 1000 + 50, 1000 - 50 : 1000 + 50] = 255
    box = np.array([950, 950, 100, 100], np.float32)
    for scale in (NEAR, FAR):
        share = view(white, box, scale)[..., 0].mean() / 255
        assert share == pytest.approx(1 / scale**2, rel=0.1)


@given(st.floats(-100, 600), st.floats(-100, 700), st.floats(2, 900), st.floats(2, 900), st.sampled_from([NEAR, FAR]))
def test_any_box_gives_a_view_from_inside_the_frame(x: float, y: float, w: float, h: float, scale: float) -> None:
    seen = view(picture(), np.array([x, y, w, h], np.float32), scale)
    assert seen.shape == (SIDE, SIDE, 3)


def test_the_shipped_network_is_small_and_the_one_of_the_manifest() -> None:
    content = read_shipped("heyan_pad_1")
    assert len(content) <= 2_000_000
    assert load_manifest().models["heyan_pad_1"].shipped


def test_the_shipped_threshold_is_a_share() -> None:
    calibration = read_calibration("heyan_pad_1")
    assert calibration.slope > 0
    assert 0 < calibration.threshold < 1


def test_a_face_has_a_finite_logit_and_a_probability(portraits: dict[str, bytes], engine: Engine) -> None:
    for photo in portraits.values():
        frame = decode_image(photo)
        logit = engine.live_logit(frame, engine.single_face(frame))
        assert np.isfinite(logit)
        assert 0 <= engine.attack_detector.probability([logit]) <= 1


@given(st.floats(-500, 500), st.floats(0, 100))
def test_probability_rises_with_the_logit(logit: float, more: float) -> None:
    calibration = Calibration(slope=1.4, offset=-0.5, threshold=0.3)
    assert 0 <= calibration.probability(logit) <= calibration.probability(logit + more) <= 1


def test_a_number_that_is_none_is_refused(engine: Engine) -> None:
    class Broken:
        def run(self, _: np.ndarray) -> list[np.ndarray]:
            return [np.array([[np.nan, 0.0]], np.float32)]

    detector = AttackDetector(Broken(), engine.attack_detector.calibration)
    with pytest.raises(ModelError) as caught:
        detector.logit(pad_views(picture(), BOX))
    assert caught.value.code == "logit_not_finite"
