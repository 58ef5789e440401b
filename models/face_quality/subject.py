"""Raw values of the subject-related quality components of ISO/IEC 29794-5: where the face is, how it is held, what
covers it. None: cannot be assessed.

OFIQ is the standard's reference implementation. It finds what covers a face by a network; here dark lenses and covered
mouths are found by light and colour in zones about the landmarks, and other covers are not found.
"""

from math import cos, radians

import numpy as np
from numpy.typing import NDArray

from models.face_quality.capture import lab
from models.face_quality.sample import Point, Sample, Zone

SMALLEST_COSINE = 0.5
"""Of the yaw that an inter-eye distance is corrected for: beyond 60 degrees five landmarks tell no angle."""
BESIDE, ABOVE, BELOW = 0.9, 1.4, 1.8
"""Margins: beside an eye in distances between the eyes; above and below the eyes in ways from eyes to chin (OFIQ)."""
EYE_ZONE = (0.25, 0.14)
"""Halves of an eye's zone in distances between the eyes: the lids and 1/20 around them, as OFIQ's."""
DARK_LENS = 0.1
"""Luminance in shares of the cheek's: below it are dark lenses, pupils and lashes."""
LIP, LIP_HEIGHT = 0.06, 0.09
"""How far below the mouth's corners the lower lip's zone lies, and half of its height, in distances between the eyes;
it is as wide as the mouth. The upper lip may be under a moustache."""
UNDER_EYE, UNDER_EYE_ZONE = 0.27, (0.16, 0.07)
"""Where skin is seen above a mask, below an eye, and halves of that zone; in distances between the eyes."""
SKIN_CHROMA = 6.0
"""CIELAB chroma of skin below which a photo has no colour to judge by."""
OTHER_COLOUR = 9.0
"""Distance in CIELAB's a*, b* from which on a colour is not the skin's."""


def inter_eye_distance(sample: Sample) -> float:
    """Pixels between the eyes, as if the head were not turned: divided by the cosine of its yaw (OFIQ)."""
    return sample.face.eye_distance / max(SMALLEST_COSINE, cos(radians(sample.pose.yaw)))


def head_size(sample: Sample) -> float:
    """From the eyes' level to the chin, in shares of the photo's height (OFIQ; its chin is a landmark)."""
    height: int = sample.frame.pixels.shape[0]
    return sample.eyes_to_chin / height


def crop_of_the_face_image(sample: Sample) -> float:
    """The least of the margins on four sides, in shares of what each should be. OFIQ has four components of them."""
    height, width = sample.frame.pixels.shape[:2]
    (right_x, right_y), (left_x, left_y) = (map(float, eye) for eye in sample.face.landmarks[:2])
    eyes, chin, level = max(1.0, sample.face.eye_distance), sample.eyes_to_chin, (right_y + left_y) / 2
    sides = right_x / eyes / BESIDE, (width - left_x) / eyes / BESIDE
    return float(max(0.0, min(*sides, level / chin / ABOVE, (height - level) / chin / BELOW)))


def eyes_visible(sample: Sample) -> float | None:
    """Share of an eye's zone that is far darker than the cheek under it, the worse eye's, 0 to 1: dark lenses.

    OFIQ's raw value is the share that is occluded by anything; reflections, bars and hair are not found here.
    """
    found = [_dark_share(sample, *side) for side in zip(sample.upright.landmarks[:2], sample.cheeks(), strict=True)]
    return max((share for share in found if share is not None), default=None)


def mouth_occlusion(sample: Sample) -> float | None:
    """Share of the lower lip's zone whose colour is not the skin's, and less red, 0 to 1: masks, paper, gloves.

    Against the skin under the eyes, in CIELAB's a*, b*. Lips do not count, teeth and beards do. OFIQ's raw value is the
    share of the mouth that is occluded by anything; hands are not found here. None for a photo without colour.
    """
    points = sample.upright.landmarks
    half = float(np.hypot(*(points[4] - points[3]))) / 2 / sample.eyes
    down = np.array([0.0, sample.eyes])
    mouth = _colours(sample, sample.around(points[3:].mean(axis=0) + LIP * down, half, LIP_HEIGHT))
    under = [sample.around(eye + UNDER_EYE * down, *UNDER_EYE_ZONE) for eye in points[:2]]
    skin = np.concatenate([_colours(sample, zone) for zone in under])
    if not mouth.size or not skin.size:
        return None
    usual = np.median(lab(skin)[:, 1:], axis=0)
    if float(np.hypot(*usual)) < SKIN_CHROMA:
        return None
    off = lab(mouth)[:, 1:] - usual
    return float(((np.hypot(off[:, 0], off[:, 1]) > OTHER_COLOUR) & (off[:, 0] < 0)).mean())


def _dark_share(sample: Sample, eye: Point, cheek: Zone) -> float | None:
    seen = sample.upright.luminance[sample.around(eye, *EYE_ZONE)]
    skin = sample.upright.luminance[cheek]
    if not seen.size or not skin.size or np.median(skin) < 1:
        return None
    return float((seen < DARK_LENS * np.median(skin)).mean())


def _colours(sample: Sample, zone: Zone) -> NDArray[np.uint8]:
    """(N, 3) BGR."""
    return sample.upright.pixels[zone].reshape(-1, 3)
