"""The golden table: every number that the models make of a few photos that may be shown.

A change of a model, of preprocessing or of a measure is a diff of `tests/models/golden/measures.csv`. Written anew by
`make golden`, or `HEYAN_WRITE_GOLDEN=1 pytest tests/models/test_golden_table.py`. What needs motion (relief, nose,
perspective, novelty) is not in it: one photo has none.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from math import isclose

import numpy as np

from models.alignment import align
from models.detection import Face
from models.embedding import cosine
from models.engine import Engine
from models.face_quality.assessment import unified_minimum
from models.illumination import measure_illumination
from models.image import Frame, decode_image

Value = float | None
Table = dict[tuple[str, str], Value]
"""By image and measure; None where a measure gives nothing."""

COLUMNS = ("image", "measure", "value")
LANDMARKS = ("right eye", "left eye", "nose", "right mouth", "left mouth")
DIGITS = 5

TOLERANCES: Mapping[str, tuple[float, float]] = {
    "faces": (0.0, 0.0),
    "box": (0.02, 0.0),
    "landmark": (0.02, 0.0),
    "detector": (5e-4, 0.0),
    "pad": (0.3, 0.0),
    "live": (1e-3, 2e-3),
    "light": (1e-4, 0.03),
    "raw": (0.01, 0.005),
    "raw head_pose_yaw": (0.2, 0.0),
    "raw head_pose_pitch": (0.2, 0.0),
    "raw head_pose_roll": (0.2, 0.0),
    "score": (0.6, 0.0),
    "cosine": (5e-4, 0.0),
}
"""Absolute and relative, by a measure's name or the first word of it; the larger of both counts.

Seen on one AMD EPYC (AVX2): no difference with one thread or two, with OpenCV's IPP or without; without any of
OpenCV's instruction sets beyond SSE3, 3e-5 of a cosine, 1e-4 of a score, and box and landmarks the same. Other
processors round the networks otherwise, so room is left for landmarks that move by 0.02 pixels, and for about twice
what 0.01 did to the others; zones and crops begin at whole pixels, so that some of them jump. ARM was not tried.
"""


def make_table(photos: Mapping[str, bytes], engine: Engine) -> Table:
    """All measures of all photos, and the cosines of each as reference with each as probe."""
    frames = {name: decode_image(photo) for name, photo in photos.items()}
    faces = {name: engine.single_face(frame) for name, frame in frames.items()}
    table: Table = {}
    for name, frame in frames.items():
        table |= {(name, measure): _rounded(value) for measure, value in _measures(frame, faces[name], engine)}
    references = {name: engine.embedder.reference(align(frame, faces[name])) for name, frame in frames.items()}
    probes = {name: engine.embed(frame, faces[name]) for name, frame in frames.items()}
    for name, reference in references.items():
        table |= {(name, f"cosine with {other}"): _rounded(cosine(reference, probes[other])) for other in probes}
    return table


def _measures(frame: Frame, face: Face, engine: Engine) -> Iterator[tuple[str, Value]]:
    yield "faces", len(engine.detect(frame))
    yield from zip(("box x", "box y", "box w", "box h"), map(float, face.box), strict=True)
    for landmark, (x, y) in zip(LANDMARKS, face.landmarks, strict=True):
        yield from ((f"landmark {landmark} x", float(x)), (f"landmark {landmark} y", float(y)))
    yield "detector score", face.score
    yield "pad logit", engine.live_logit(frame, face)
    live = engine.quality(frame, face)
    yield from ((f"live {name}", value) for name, value in asdict(live).items() if isinstance(value, float))
    yield from _light(frame, face)
    components = engine.components(frame, face)
    for each in components:
        yield from ((f"raw {each.name}", each.raw), (f"score {each.name}", each.score))
    yield "score unified_minimum", unified_minimum(components)


def _light(frame: Frame, face: Face) -> Iterator[tuple[str, Value]]:
    light = measure_illumination(frame, face)
    for part in ("skin", "features", "background"):
        channels = (None,) * 3 if light is None else getattr(light, part)
        yield from ((f"light {part} {channel}", channels[at]) for at, channel in enumerate(("red", "green", "blue")))


def write_table(table: Table) -> str:
    """As CSV, one number a line."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((*key, "" if value is None else f"{value:.{DIGITS}f}") for key, value in table.items())
    return written.getvalue()


def read_table(text: str) -> Table:
    """What `write_table` wrote."""
    rows = csv.DictReader(io.StringIO(text))
    return {(row["image"], row["measure"]): float(row["value"]) if row["value"] else None for row in rows}


def differences(kept: Table, found: Table) -> list[str]:
    """In words, each beyond its tolerance."""
    told = [f"{image}, {measure}: only in one of both" for image, measure in sorted(kept.keys() ^ found.keys())]
    for key in kept.keys() & found.keys():
        if not _close(key[1], kept[key], found[key]):
            told.append(f"{key[0]}, {key[1]}: kept {kept[key]}, found {found[key]}")
    return sorted(told)


def tolerance_of(measure: str) -> tuple[float, float]:
    """Absolute and relative. Raises KeyError for a measure without one."""
    return TOLERANCES[measure if measure in TOLERANCES else measure.partition(" ")[0]]


def _close(measure: str, one: Value, other: Value) -> bool:
    if one is None or other is None:
        return one is other
    absolute, relative = tolerance_of(measure)
    return isclose(one, other, abs_tol=absolute, rel_tol=relative)


def _rounded(value: Value) -> Value:
    return None if value is None else float(np.round(value, DIGITS))
