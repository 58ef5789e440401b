"""Face image quality by components: names and raw values of ISO/IEC 29794-5:2025, quality scores 0 to 100.

Maps from raw value to score are those of OFIQ, the standard's reference implementation (BSI, Open Source Face Image
Quality 1.x), not rounded; those of sharpness and compression artifacts are ours, as their raw values are. Each rises or
falls with its raw value, or rises up to a best value and falls beyond it. What departs from OFIQ in the raw values is
said in `models.face_quality.capture` and `models.face_quality.subject`. Not measured: eyes open, mouth closed,
expression, head coverings, face occlusion as a whole.

For reference photos and comparisons of photos. What a live session measures is `models.quality`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, exp, pi, radians, sin

from models.detection import Face
from models.face_quality import capture, subject
from models.face_quality.sample import Sample, take_sample
from models.image import Frame

RIGHT_ANGLE = 90.0
SHARP, SHARP_WIDTH = -4.0, 0.7
"""Middle and width of the map of sharpness. A sharp portrait has −1, one of a face of 60 pixels −4.1."""
BLOCKY, BLOCKY_WIDTH = 1.5, 0.1
"""Middle and width of the map of compression artifacts. A portrait as JPEG of quality 90 has 1.1, 50: 1.6, 30: 1.8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component of one face. `raw` and `score` are None where it cannot be assessed; never NaN."""

    name: str
    unit: str
    raw: float | None
    score: float | None
    """0 to 100, the higher the better."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How a component is measured, and how its raw value becomes a score."""

    unit: str
    raw: Callable[[Sample], float | None]
    score: Callable[[float], float]


def assess_quality(frame: Frame, face: Face) -> tuple[Component, ...]:
    """All components of one face, in the order of `MEASURES`."""
    sample = take_sample(frame, face)
    return tuple(_component(name, measure, sample) for name, measure in MEASURES.items())


def unified_minimum(components: Sequence[Component]) -> float | None:
    """The least score of those components that speak of the face (`OF_THE_FACE`), 0 to 100; None without any.

    OFIQ's unified quality score is a network's answer; the minimum is ours, and says that one defect is enough.
    """
    scores = [each.score for each in components if each.name in OF_THE_FACE and each.score is not None]
    return min(scores, default=None)


def sigmoid(raw: float, *, x0: float, w: float) -> float:
    """1 / (1 + exp((x0 − raw) / w)), 0 to 1."""
    z = (raw - x0) / w
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def _component(name: str, measure: Measure, sample: Sample) -> Component:
    raw = measure.raw(sample)
    score = None if raw is None else min(100.0, max(0.0, measure.score(raw)))
    return Component(name=name, unit=measure.unit, raw=raw, score=score)


def _luminance_mean_score(raw: float) -> float:
    """Best in the middle; falls on both sides."""
    return 100 * sigmoid(raw, x0=0.2, w=0.05) * (1 - sigmoid(raw, x0=0.8, w=0.05))


def _luminance_variance_score(raw: float) -> float:
    """Best at 1/60; falls on both sides."""
    return 100 * sin(60 * raw / (60 * raw + 1) * pi)


def _head_size_score(raw: float) -> float:
    """Best at 0.45; falls on both sides."""
    return 200 * (1 - sigmoid(abs(raw - 0.45), x0=0, w=0.05))


def _pose_score(degrees: float) -> float:
    return 100 * cos(radians(degrees)) ** 2 if abs(degrees) < RIGHT_ANGLE else 0.0


MEASURES: Mapping[str, Measure] = {
    "background_uniformity": Measure(
        "255ths/pixel", capture.background_uniformity, lambda raw: 190 * (1 - sigmoid(raw, x0=10, w=100))
    ),
    "illumination_uniformity": Measure("share", capture.illumination_uniformity, lambda raw: 100 * raw**0.3),
    "luminance_mean": Measure("of white", capture.luminance_mean, _luminance_mean_score),
    "luminance_variance": Measure("of white²", capture.luminance_variance, _luminance_variance_score),
    "under_exposure_prevention": Measure(
        "share", capture.under_exposure, lambda raw: 120 * (0.832 - sigmoid(raw, x0=0.92, w=0.05))
    ),
    "over_exposure_prevention": Measure("share", capture.over_exposure, lambda raw: 1 / (raw + 0.01)),
    "dynamic_range": Measure("bits", capture.dynamic_range, lambda raw: 12.5 * raw),
    "sharpness": Measure("ln ratio", capture.sharpness, lambda raw: 100 * sigmoid(raw, x0=SHARP, w=SHARP_WIDTH)),
    "compression_artifacts": Measure(
        "ratio", capture.compression_artifacts, lambda raw: 100 * (1 - sigmoid(raw, x0=BLOCKY, w=BLOCKY_WIDTH))
    ),
    "natural_colour": Measure("CIELAB", capture.natural_colour, lambda raw: 200 * (1 - sigmoid(raw, x0=0, w=10))),
    "inter_eye_distance": Measure("pixels", subject.inter_eye_distance, lambda raw: 100 * sigmoid(raw, x0=70, w=20)),
    "head_size": Measure("of height", subject.head_size, _head_size_score),
    "crop_of_the_face_image": Measure(
        "ratio", subject.crop_of_the_face_image, lambda raw: 100 * sigmoid(raw, x0=1, w=0.1)
    ),
    "head_pose_yaw": Measure("degrees", lambda sample: sample.pose.yaw, _pose_score),
    "head_pose_pitch": Measure("degrees", lambda sample: sample.pose.pitch, _pose_score),
    "head_pose_roll": Measure("degrees", lambda sample: sample.pose.roll, _pose_score),
    "eyes_visible": Measure("share", subject.eyes_visible, lambda raw: 100 * (1 - raw)),
    "mouth_occlusion_prevention": Measure("share", subject.mouth_occlusion, lambda raw: 100 * (1 - raw)),
}
"""By name, capture-related ones first."""

OF_THE_FACE = frozenset(MEASURES) - {"background_uniformity", "head_size", "crop_of_the_face_image"}
"""Those that speak of the face; the others say how a document's photo is framed. Fixed before any error was counted."""
