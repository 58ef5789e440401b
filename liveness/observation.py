"""What one frame showed: scalars only."""

from dataclasses import dataclass

from liveness.motion import Motion
from liveness.nose import Protrusion
from liveness.perspective import Perspective
from liveness.relief import Relief
from models.frame_history import Novelty
from models.illumination import Illumination
from models.pose import Pose


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceView:
    """The one face of a frame. Lengths are shares of the frame's width, coordinates of width and height."""

    pose: Pose
    """From five landmarks: coarse, for coming back to rest."""
    straight: bool
    """Whether the head looks into the camera by that pose, as the detector's landmarks are to be read."""
    eye_distance: float
    """Between the eyes, as a share of the frame's width."""
    centre_x: float
    """Of the landmarks' middle, 0 (left) to 1 (right)."""
    centre_y: float
    """0 (top) to 1 (bottom)."""
    aspect: float
    """The frame's height over its width."""
    brightness: float
    """Mean luma of the face, 0 to 1."""
    motion: Motion | None
    """Against the last rest; None without a reference or with too few tracked points."""
    relief: Relief | None
    """Against the last rest; None as above."""
    protrusion: Protrusion | None
    """Against the last rest; None as above, or with too few points on the nose."""
    perspective: Perspective | None
    """Against the last rest; None as above, or while the face is not larger than then."""
    illumination: Illumination | None
    """None while no light cue is shown, or with too little of face or background in the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One analysed frame."""

    at: float
    """When the frame reached the service: seconds on its monotonic clock."""
    nonce: str
    """The nonce that the frame echoed: the phone had seen that prompt. Empty before the first prompt."""
    faces: int
    """Faces in the frame that are not clearly somebody far behind."""
    face: FaceView | None
    """None unless there is exactly one."""
    novelty: Novelty
    """What the frame adds to those before."""
