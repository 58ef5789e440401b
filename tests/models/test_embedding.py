import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.alignment import TEMPLATE, similarity
from models.embedding import Embedding, cosine, mean_embedding
from models.errors import ModelError
from models.pose import MEAN_HEAD, pose_from_landmarks

VECTORS = arrays(np.float32, 16, elements=st.floats(-10, 10, width=32)).filter(lambda v: np.linalg.norm(v) > 0.1)
ANGLES = st.floats(-35, 35)


def embedding(vector: np.ndarray, contract: str = "test/1") -> Embedding:
    return Embedding(vector, contract)


@given(VECTORS, VECTORS)
def test_cosine_is_symmetric_and_bounded(one: np.ndarray, other: np.ndarray) -> None:
    a, b = embedding(one), embedding(other)
    assert cosine(a, b) == cosine(b, a)
    assert -1 <= cosine(a, b) <= 1
    assert cosine(a, a) == pytest.approx(1.0, abs=1e-5)


@given(VECTORS, st.floats(0.1, 100))
def test_length_does_not_count(vector: np.ndarray, factor: float) -> None:
    assert cosine(embedding(vector), embedding(vector * np.float32(factor))) == pytest.approx(1.0, abs=1e-5)


@given(VECTORS)
def test_a_template_comes_back_from_its_bytes(vector: np.ndarray) -> None:
    one = embedding(vector)
    assert np.allclose(Embedding.from_bytes(one.to_bytes(), contract=one.contract).vector, one.vector, atol=1e-6)


@given(st.lists(VECTORS, min_size=2, max_size=6), st.randoms())
def test_a_mean_does_not_depend_on_the_order(vectors: list[np.ndarray], rng: object) -> None:
    forward = [np.abs(vector) for vector in vectors]
    shuffled = list(forward)
    rng.shuffle(shuffled)
    one, other = (mean_embedding([embedding(vector) for vector in each]) for each in (forward, shuffled))
    assert cosine(one, other) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_what_is_not_finite_or_empty_is_no_embedding(bad: float) -> None:
    with pytest.raises(ModelError) as caught:
        embedding(np.full(16, bad, np.float32))
    assert caught.value.code == "embedding_not_finite"


@pytest.mark.parametrize("content", [b"", b"123", b"\0" * 64])
def test_a_damaged_template_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        Embedding.from_bytes(content, contract="test/1")


def test_two_contracts_are_never_compared() -> None:
    one, other = embedding(np.ones(16, np.float32)), embedding(np.ones(16, np.float32), "test/2")
    for work in (lambda: cosine(one, other), lambda: mean_embedding([one, other])):
        with pytest.raises(ModelError) as caught:
            work()
        assert caught.value.code == "embedding_contract_mismatch"


def test_the_mean_of_nothing_is_asked_for_in_vain() -> None:
    with pytest.raises(ValueError, match="no embeddings"):
        mean_embedding([])


def test_a_vector_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        embedding(np.ones(16, np.float32)).vector[0] = 0


@given(st.floats(-180, 180), st.floats(0.1, 10), st.floats(-500, 500), st.floats(-500, 500))
def test_alignment_undoes_any_similarity(degrees: float, scale: float, x: float, y: float) -> None:
    cos, sin = np.cos(np.radians(degrees)) * scale, np.sin(np.radians(degrees)) * scale
    moved = TEMPLATE @ np.array([[cos, sin], [-sin, cos]]) + [x, y]
    matrix = similarity(moved, TEMPLATE)
    assert np.allclose(moved @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6)


def test_the_best_similarity_leaves_the_least_squares() -> None:
    rng = np.random.default_rng(7)
    source, target = rng.uniform(0, 300, (5, 2)), rng.uniform(0, 112, (5, 2))
    best = similarity(source, target)

    def squares(matrix: np.ndarray) -> float:
        return float(np.sum((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2))

    for _ in range(50):
        turn, way = rng.normal(0, 1e-3, 2), rng.normal(0, 0.1, 2)
        other = best + np.array([[turn[0], -turn[1], way[0]], [turn[1], turn[0], way[1]]])
        assert squares(other) > squares(best)


def test_points_in_one_place_have_no_similarity() -> None:
    assert np.isnan(similarity(np.full((5, 2), 3.0), TEMPLATE)).all()


@given(ANGLES, ANGLES, ANGLES, st.floats(0.2, 5))
def test_pose_of_the_mean_head_is_what_it_was_turned_by(yaw: float, pitch: float, roll: float, scale: float) -> None:
    pose = pose_from_landmarks(_projected(yaw, pitch, roll, scale))
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((yaw, pitch, roll), abs=0.5)


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan)])
def test_landmarks_without_extent_have_no_pose(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no pose"):
        pose_from_landmarks(landmarks.astype(np.float32))


def _projected(yaw: float, pitch: float, roll: float, scale: float) -> np.ndarray:
    """The mean head's points seen from far away (scaled orthography), after Rz(roll) Rx(pitch) Ry(yaw)."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned = MEAN_HEAD @ (about_z @ about_x @ about_y).T
    return (scale * turned[:, :2] + [200, 300]).astype(np.float32)
