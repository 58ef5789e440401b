"""Is it one uncut clip? The path of the face from frame to frame."""

from collections.abc import Sequence
from itertools import pairwise
from math import hypot, log

from liveness.observation import FaceView, Observation
from liveness.regularity import even_paced


def largest_jump(observations: Sequence[Observation]) -> float | None:
    """Furthest that the face moved between two frames in a row that came at an even pace, in distances between its
    eyes; growing counts as moving. None if there are no such frames.

    A head that turns as fast as it can covers about a third of that distance in an eighth of a second; a cut from one
    clip to another has no limit.
    """
    paired = zip(pairwise(observations), even_paced(observations)[1:], strict=True)
    jumps = [
        _jump(before.face, after.face)
        for (before, after), even in paired
        if even and before.face is not None and after.face is not None
    ]
    return max(jumps, default=None)


def _jump(before: FaceView, after: FaceView) -> float:
    size = (before.eye_distance + after.eye_distance) / 2
    across = (after.centre_x - before.centre_x) / size
    down = (after.centre_y - before.centre_y) * before.aspect / size
    return hypot(across, down, log(after.eye_distance / before.eye_distance))
