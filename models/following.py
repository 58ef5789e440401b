"""Finds the one face of a stream's frames: on the whole picture now and then, and in between around where it was.

A look around the last place costs half of a look at the whole picture and another one for fine landmarks. Whoever steps
in elsewhere is seen by the next look at the whole; as long as that shows nobody, or several, every look is one.
"""

from dataclasses import dataclass, field

from models.detection import Face
from models.engine import Engine
from models.image import Frame
from models.portrait import BYSTANDER

WHOLE_EVERY = 4
"""At least every so many frames the whole picture is looked at: twice a second at 8 frames a second."""


@dataclass(frozen=True, slots=True)
class Found:
    """Faces of one frame. `count`: those that are near, not those of people far behind (`models.portrait.BYSTANDER`).

    `face`: with fine landmarks, if there is exactly one.
    """

    count: int
    face: Face | None


@dataclass(slots=True)
class FaceFollower:
    """Follows the face of one stream. Not thread safe."""

    engine: Engine
    _last: Face | None = field(default=None, init=False)
    _since_whole: int = field(default=0, init=False)

    def look(self, frame: Frame) -> Found:
        """The faces of the next frame."""
        around = self._around(frame)
        if len(around) == 1:
            self._since_whole += 1
            self._last = around[0]
            return Found(1, self._last)
        faces = _near(self.engine.detect(frame))
        self._since_whole = 0
        self._last = self.engine.refine(frame, faces[0]) if len(faces) == 1 else None
        return Found(len(faces), self._last)

    def _around(self, frame: Frame) -> tuple[Face, ...]:
        """Faces about where the face was; none if that is unknown, or the whole picture's turn has come."""
        if self._last is None or self._since_whole + 1 >= WHOLE_EVERY:
            return ()
        return _near(self.engine.around(frame, self._last))


def _near(faces: tuple[Face, ...]) -> tuple[Face, ...]:
    """Faces, largest first, without those of people far behind."""
    return tuple(face for face in faces if face.box[3] >= BYSTANDER * faces[0].box[3])
