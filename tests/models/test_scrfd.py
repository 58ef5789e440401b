"""Where SCRFD says that faces are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError
from models.scrfd import SCORE, Floats, decode_scrfd

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 320, 256

Outputs = dict[str, Floats]


def nothing(width: int = WIDTH, height: int = HEIGHT) -> Outputs:
    """Outputs that show no face, in the order of InsightFace's files."""
    return {
        f"{kind}_{s}": np.zeros((2 * (height // s) * (width // s), values), np.float32)
        for kind, values in (("score", 1), ("box", 4), ("kps", 10))
        for s in STRIDES
    }


def put(outputs: Outputs, stride: int, row: int, column: int, anchor: int = 0, *, score: float = 0.9) -> None:
    """A face at one anchor: 1.5 strides to left and top, 2 to right and bottom; its points on a diagonal."""
    place = 2 * (row * (WIDTH // stride) + column) + anchor
    outputs[f"score_{stride}"][place] = score
    outputs[f"box_{stride}"][place] = (1.5, 1.5, 2, 2)
    outputs[f"kps_{stride}"][place] = np.repeat(np.linspace(-1, 1, 5), 2)


@given(stride=st.sampled_from(STRIDES), row=st.integers(0, 7), column=st.integers(0, 9), anchor=st.integers(0, 1))
def test_an_anchor_says_where_its_face_is(stride: int, row: int, column: int, anchor: int) -> None:
    outputs = nothing()
    put(outputs, stride, row, column, anchor)
    (face,) = decode_scrfd(outputs, (HEIGHT, WIDTH), 0.5)
    middle = np.array([column, row]) * stride
    assert np.allclose(face.box, 2 * np.array([*(middle - 1.5 * stride), 3.5 * stride, 3.5 * stride]))
    assert np.allclose(face.landmarks, 2 * (middle + stride * np.linspace(-1, 1, 5)[:, None]))
    assert face.score == pytest.approx(0.9)


def test_order_and_a_leading_batch_do_not_matter() -> None:
    outputs = nothing()
    put(outputs, 16, 3, 4)
    (face,) = decode_scrfd(outputs, (HEIGHT, WIDTH), 1.0)
    turned = {name: outputs[name][None] for name in reversed(outputs)}
    (same,) = decode_scrfd(turned, (HEIGHT, WIDTH), 1.0)
    assert np.array_equal(face.landmarks, same.landmarks)


def test_of_boxes_that_overlap_the_stronger_is_the_face() -> None:
    outputs = nothing()
    put(outputs, 32, 3, 4, 0, score=0.7)
    put(outputs, 32, 3, 4, 1, score=0.8)
    put(outputs, 8, 3, 4, score=SCORE - 0.01)
    (face,) = decode_scrfd(outputs, (HEIGHT, WIDTH), 1.0)
    assert face.score == pytest.approx(0.8)


def test_faces_come_largest_first_and_no_face_is_none() -> None:
    outputs = nothing()
    assert decode_scrfd(outputs, (HEIGHT, WIDTH), 1.0) == ()
    put(outputs, 8, 20, 30, score=0.99)
    put(outputs, 32, 2, 2)
    assert [round(float(face.box[2])) for face in decode_scrfd(outputs, (HEIGHT, WIDTH), 1.0)] == [112, 28]


def test_what_is_not_finite_is_no_face() -> None:
    outputs = nothing()
    put(outputs, 16, 3, 4)
    outputs["box_16"][2 * (3 * 20 + 4)] = np.nan
    assert decode_scrfd(outputs, (HEIGHT, WIDTH), 1.0) == ()


@pytest.mark.parametrize("missing", ["kps_8", "box_32", "score_16"])
def test_other_outputs_are_refused(missing: str) -> None:
    outputs = nothing()
    del outputs[missing]
    with pytest.raises(ModelError, match="no outputs of SCRFD") as caught:
        decode_scrfd(outputs, (HEIGHT, WIDTH), 1.0)
    assert caught.value.code == "model_invalid"


def test_one_anchor_a_cell_is_refused() -> None:
    halved = {name: values[::2] for name, values in nothing().items()}
    with pytest.raises(ModelError, match="two anchors"):
        decode_scrfd(halved, (HEIGHT, WIDTH), 1.0)
