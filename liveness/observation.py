"""An observation: what one frame showed. Scalars only, no pixels."""

from dataclasses import dataclass

from liveness.motion import Motion
from liveness.relief import Relief
from models.pose import Pose


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceView:
    """The one face of a frame."""

    pose: Pose
    """From five landmarks; carries the person's own offset."""
    eye_distance: float
    """As a share of the frame's width, 0 to 1."""
    centre_x: float
    centre_y: float
    """Middle of the face as shares of the frame's width and height, 0 to 1."""
    brightness: float
    """Mean luma of the face, 0 to 1."""
    motion: Motion | None
    """Against the last rest; None without a reference or with too few tracked points."""
    relief: Relief | None
    """Against the last rest; None as above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One analysed frame."""

    at: float
    """Arrival in seconds on the server's monotonic clock."""
    nonce: str
    """The nonce that the frame carried."""
    faces: int
    face: FaceView | None
    """Set if the frame showed exactly one face."""
