"""All measured scalars of one session: the only thing the decision sees. No pixels, no vectors, no names."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import msgspec

from liveness.report import LivenessReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one session measured."""

    contract: str
    """Contract id of the embeddings that were compared (weights and preprocessing)."""
    similarity: float
    """Cosine, -1 to 1, of the mean embedding of the frames that answered the cues with the reference; NaN if none."""
    least_similarity: float
    """Smallest cosine of any single compared frame with the reference; NaN if none."""
    compared_frames: int
    liveness: LivenessReport
    no_face_share: float
    """Share of the analysed frames that showed no face, 0 to 1."""
    several_faces_share: float
    """Share of the analysed frames that showed more than one face, 0 to 1."""
    eye_distance_px: float
    """Median distance between the eyes of the compared frames, in pixels of the frame."""
    brightness: float
    """Median mean luma of the face in the compared frames, 0 to 1."""
    sharpness: float
    """Median sharpness of the compared frames (`models.quality`)."""
    interrupted: bool
    """True if the connection was lost or given up before the script ended."""


def read_evidence(content: Mapping[str, Any]) -> Evidence:
    """Evidence from what JSON holds of it (`msgspec.to_builtins`), where NaN is null.

    Raises:
        msgspec.ValidationError: a field is missing, or of another type.
    """
    measured = [name for name, kind in Evidence.__annotations__.items() if kind is float]
    unmeasured = {name: nan for name in measured if name in content and content[name] is None}
    return msgspec.convert({**content, **unmeasured}, Evidence)
