"""How YuNet's outputs are read."""

import numpy as np
import pytest

from models.detection import SCORE, decode_yunet

SIDES = (64, 96)
CELLS = {8: 96, 16: 24, 32: 6}
STRIDE, PLACE = 16, 8
"""An anchor of the second row, in the third of six columns."""


def outputs(*, classes: float = 0.9, objects: float = 0.9, size: float = 0.0) -> dict[str, np.ndarray]:
    """One anchor speaks, all others are silent."""
    widths = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    found = {
        f"{part}_{stride}": np.zeros((1, cells, width), np.float32)
        for part, width in widths.items()
        for stride, cells in CELLS.items()
    }
    found[f"cls_{STRIDE}"][0, PLACE], found[f"obj_{STRIDE}"][0, PLACE] = classes, objects
    found[f"bbox_{STRIDE}"][0, PLACE] = (0.5, 0.25, size, size)
    found[f"kps_{STRIDE}"][0, PLACE] = np.arange(10)
    return found


def test_an_anchor_tells_of_a_face_in_pixels_of_the_frame() -> None:
    (face,) = decode_yunet(outputs(size=float(np.log(2))), SIDES, 0.5)
    assert face.box.tolist() == pytest.approx([2 * (40 - 16), 2 * (20 - 16), 64, 64])
    assert face.landmarks[:, 0].tolist() == pytest.approx([2 * 16 * (2 + x) for x in range(0, 10, 2)])
    assert face.landmarks[:, 1].tolist() == pytest.approx([2 * 16 * (1 + y) for y in range(1, 10, 2)])
    assert face.score == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("classes", "objects"), [(-3.0, -3.0), (9.0, SCORE**2 - 0.01), (0.5, 0.5), (np.nan, 0.9), (np.inf, -1.0)]
)
def test_what_is_no_probability_makes_no_face(classes: float, objects: float) -> None:
    assert decode_yunet(outputs(classes=classes, objects=objects), SIDES, 1.0) == ()


@pytest.mark.parametrize("size", [np.nan, np.inf, 100.0])
def test_a_box_beyond_measure_is_no_face(size: float) -> None:
    assert decode_yunet(outputs(size=size), SIDES, 1.0) == ()
