"""The species of attack by name (GB/T 41987, ISO/IEC 30107-3), what each shows, and which countermeasure is for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.bent import NOSE, BentSheet, face_cover, whole_cover
from benchmarks.attacks.clips import (
    Clip,
    ClipPlayer,
    LibraryPlayer,
    ScriptedPlayer,
    record,
    record_session,
    shuffled,
)
from benchmarks.attacks.folded import FoldedSheet
from benchmarks.attacks.holder import Holder, some_room
from benchmarks.attacks.injected import (
    Beside,
    Painted,
    PerfectPace,
    Puppet,
    RandomGuess,
    Shopper,
    Swapped,
    Unlit,
)
from benchmarks.attacks.screen import screen_before, still
from benchmarks.attacks.sheet import FOCAL_PX, Sheet, SheetPose
from benchmarks.held_out.waving import WavingSheet
from benchmarks.phone.camera import Camera, Glow
from benchmarks.phone.casting import face_of
from benchmarks.phone.head import Head
from benchmarks.phone.person import Actor, Person
from liveness.challenge import Challenge, Cue, draw_challenge
from models.detection import Face
from models.engine import Engine
from models.image import Frame

Picture = NDArray[np.uint8]

EYE_DISTANCE_CM = 6.3
"""Between the pupils of an adult."""

CLEAN = Camera(noise=0.0, flicker=0.0, exposure_share=0.0, white_balance_share=0.0)
"""No camera at all: the rendered picture, coded."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A photo of one person, with the face in it."""

    frame: Frame
    face: Face

    @classmethod
    def of(cls, photo: bytes, engine: Engine) -> "Likeness":
        """Raises ImageError, FaceError."""
        return cls(*face_of(photo, engine))

    @property
    def head(self) -> Head:
        """The rendered head with this face."""
        return Head.from_photo(self.frame.pixels, self.face.landmarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crime:
    """What an attacker has to work with. `challenge`: only where foreknowledge is what is tried out."""

    victim: Likeness
    attacker: Likeness
    rng: Random
    challenge: Challenge | None = None


NONE = "none"
SIMILARITY = "similarity"
CUES = "cues"
"""Unpredictable cues: switched off where the attacker knows them beforehand."""
GEOMETRY = "geometry"
"""Depth: switched off in a service that takes every face for a plane (`benchmarks.attacks.naive`)."""
GEOMETRY_SIGNALS = ("relief", "nose", "perspective")


@dataclass(frozen=True, slots=True)
class Species:
    """One kind of attack. `countermeasure`: the liveness signal that is for it, or one of the names above."""

    name: str
    shows: str
    countermeasure: str
    stage: Callable[[Crime], Actor]
    open_hole: bool = False
    """Known not to be stopped, and published as such."""
    held_out: bool = False
    """Drawn by a renderer that no line was set on."""
    camera: Camera | None = None
    """The camera that it pretends to have; None: the one of the trial."""


def _flat_print(crime: Crime) -> Actor:
    picture, rng = crime.victim.frame.pixels, crime.rng
    distance_cm = rng.uniform(15, 60)
    eyes = crime.victim.face.eye_distance
    height_cm = rng.uniform(62, 100) * picture.shape[0] / eyes * distance_cm / FOCAL_PX
    sheet = Sheet(picture, height_cm, some_room(rng))
    return Holder(sheet, rng=rng, distance_cm=distance_cm, turn_degrees=rng.uniform(20, 60))


def _bent_print(crime: Crime) -> Actor:
    rng = crime.rng
    sheet = _bent(crime, whole_cover(crime.victim.frame.pixels), radius_cm=rng.uniform(3.0, 7.5), enlarged=1.0)
    return Holder(sheet, rng=rng, distance_cm=rng.uniform(34, 46), turn_degrees=rng.uniform(35, 40))


def _cut_out(crime: Crime) -> Actor:
    return _PaperMask(crime, holes=())


def _holes(crime: Crime) -> Actor:
    return _PaperMask(crime, holes=(0, 1, NOSE))


class _PaperMask:
    """Paper bent over the attacker's own head, which follows the cues."""

    def __init__(self, crime: Crime, *, holes: tuple[int, ...]) -> None:
        victim = crime.victim
        cover = face_cover(victim.frame.pixels, victim.face.landmarks, holes=holes)
        self._sheet = _bent(crime, cover, radius_cm=crime.rng.uniform(7.0, 9.5), enlarged=1.12)
        self._wearer = _Wearer(crime.attacker.head, crime.rng)

    def told(self, kind: str, cue: str | None, at: float) -> None:
        self._wearer.told(kind, cue, at)

    def glow(self, at: float) -> Glow | None:
        return self._wearer.glow(at)

    def scene(self, at: float) -> Picture:
        return self._sheet.over(self._wearer.scene(at), self._wearer.paper_pose(at))


class _Wearer(Person):
    """Tells how what is worn on the face is turned; the paper lies a finger before the skin."""

    def paper_pose(self, at: float) -> SheetPose:
        yaw, pitch, away = self._yaw.at(at), self._pitch.at(at), self._away.at(at) / 10
        lever = 9.5  # cm from the spine's top, which the head turns about, to the paper
        return SheetPose(
            yaw=yaw,
            pitch=pitch,
            distance_cm=away - 1.0,
            shift_x_cm=lever * float(np.sin(np.radians(yaw))),
            shift_y_cm=-lever * float(np.sin(np.radians(pitch))) + 0.5,
        )


def _bent(crime: Crime, cover: NDArray[np.float32], *, radius_cm: float, enlarged: float) -> BentSheet:
    face = crime.victim.face
    middle = face.landmarks.mean(axis=0)
    return BentSheet(
        picture=crime.victim.frame.pixels,
        cover=cover,
        middle=(float(middle[0]), float(middle[1])),
        px_per_cm=face.eye_distance / (EYE_DISTANCE_CM * enlarged),
        radius_cm=radius_cm,
        behind=some_room(crime.rng),
    )


def _screen_photo(crime: Crime) -> Actor:
    picture = crime.victim.frame.pixels
    return screen_before(
        still(picture),
        size=picture.shape[:2],
        eye_distance=crime.victim.face.eye_distance,
        rng=crime.rng,
        room=some_room(crime.rng),
        hold_still=False,
    )


def _screen_clip(crime: Crime) -> Actor:
    """A recorded genuine session, played on a screen; its cues are those of its own day, unless foreknown."""
    return _on_screen(_replayed(crime), crime)


def _screen_library(crime: Crime) -> Actor:
    player = LibraryPlayer(crime.victim.head, crime.rng)
    return _on_screen(player, crime)


class _Shown:
    """A screen whose player listens too."""

    def __init__(self, player: Actor, screen: Actor) -> None:
        self._player, self._screen = player, screen

    def told(self, kind: str, cue: str | None, at: float) -> None:
        self._player.told(kind, cue, at)
        self._screen.told(kind, cue, at)

    def glow(self, at: float) -> Glow | None:
        return self._screen.glow(at)

    def scene(self, at: float) -> Picture:
        return self._screen.scene(at)


def _on_screen(player: Actor, crime: Crime) -> Actor:
    screen = screen_before(
        player.scene, size=(640, 480), eye_distance=78.0, rng=crime.rng, room=some_room(crime.rng), hold_still=True
    )
    return _Shown(player, screen)


def _replayed(crime: Crime) -> Actor:
    if crime.challenge is not None:
        return ScriptedPlayer(crime.victim.head, crime.rng, crime.challenge.cues)
    return ClipPlayer(_recorded(crime))


def _shuffled(crime: Crime) -> Actor:
    if crime.challenge is not None:
        return ScriptedPlayer(crime.victim.head, crime.rng, crime.challenge.cues)
    return ClipPlayer(shuffled(_recorded(crime), crime.rng))


def _sweep(crime: Crime) -> Actor:
    """A clip of two seconds a cue that goes through all of them, over and over."""
    if crime.challenge is not None:
        return Person(crime.victim.head, crime.rng)
    orders = [(2.0 * place, kind, cue) for place, (kind, cue) in enumerate(_all_cues())]
    return ClipPlayer(record(Person(crime.victim.head, crime.rng), orders, seconds=2.0 * len(orders)))


def _all_cues() -> list[tuple[str, str | None]]:
    return [step for cue in Cue for step in (("rest", None), ("ask", cue.value))]


def _recorded(crime: Crime) -> Clip:
    return record_session(crime.victim.head, crime.rng, draw_challenge(crime.rng).cues)


def _impostor(crime: Crime) -> Actor:
    return Person(crime.attacker.head, crime.rng)


def _swapped(crime: Crime) -> Actor:
    first, second = Person(crime.attacker.head, crime.rng), Person(crime.victim.head, crime.rng)
    return Swapped(first, second, cues=2)


def _beside(crime: Crime) -> Actor:
    return Beside(Person(crime.attacker.head, crime.rng), _face_crop(crime.victim))


def _puppet(crime: Crime) -> Actor:
    return Puppet(crime.victim.head, crime.rng)


def _guessing(crime: Crime) -> Actor:
    kind = RandomGuess if crime.challenge is None else Person
    return kind(crime.victim.head, crime.rng)


def _library(crime: Crime) -> Actor:
    return LibraryPlayer(crime.victim.head, crime.rng)


def _looped(crime: Crime) -> Actor:
    person = Person(crime.victim.head, crime.rng)
    if crime.challenge is not None:
        return person
    return ClipPlayer(record(person, [(0.0, "rest", None)], seconds=3.0))


def _shopping(crime: Crime) -> Actor:
    kind = Shopper if crime.challenge is None else Person
    return kind(crime.victim.head, crime.rng)


def _unlit(crime: Crime) -> Actor:
    return Unlit(crime.victim.head, crime.rng)


def _painted(crime: Crime) -> Actor:
    return Painted(crime.victim.head, crime.rng)


def _folded_print(crime: Crime) -> Actor:
    rng, face = crime.rng, crime.victim.face
    middle = face.landmarks.mean(axis=0)
    sheet = FoldedSheet(
        picture=crime.victim.frame.pixels,
        middle=(float(middle[0]), float(middle[1])),
        px_per_cm=face.eye_distance / EYE_DISTANCE_CM,
        fold_degrees=rng.uniform(10, 30),
        room=some_room(rng),
    )
    return Holder(sheet, rng=rng, distance_cm=rng.uniform(34, 46), turn_degrees=rng.uniform(25, 40))


def _waving_print(crime: Crime) -> Actor:
    rng, face = crime.rng, crime.victim.face
    middle, light = face.landmarks.mean(axis=0), rng.uniform(0, 2 * np.pi)
    sheet = WavingSheet(
        picture=crime.victim.frame.pixels,
        middle=(float(middle[0]), float(middle[1])),
        px_per_cm=face.eye_distance / EYE_DISTANCE_CM,
        height_cm=rng.uniform(0.3, 1.2),
        length_cm=rng.uniform(6, 16),
        phase=rng.uniform(0, 2 * np.pi),
        lamp=(0.6 * float(np.cos(light)), 0.6 * float(np.sin(light)), 0.8),
        room=some_room(rng),
    )
    return Holder(sheet, rng=rng, distance_cm=rng.uniform(30, 45), turn_degrees=rng.uniform(25, 45))


def _at_once(crime: Crime) -> Actor:
    return PerfectPace(crime.victim.head, crime.rng)


def _render(crime: Crime) -> Actor:
    return Person(crime.victim.head, crime.rng)


def _face_crop(likeness: Likeness) -> Picture:
    x, y, w, h = likeness.face.box
    height, width = likeness.frame.pixels.shape[:2]
    left, top = max(0, int(x - 0.3 * w)), max(0, int(y - 0.2 * h))
    crop = likeness.frame.pixels[top : min(height, int(y + 1.2 * h)), left : min(width, int(x + 1.3 * w))]
    return np.asarray(cv2.copyMakeBorder(crop, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(240, 240, 240)), np.uint8)


SPECIES: Mapping[str, Species] = {
    species.name: species
    for species in (
        Species("printed_photo_flat", "a print, turned by up to 60 degrees", GEOMETRY, _flat_print),
        Species("printed_photo_bent", "a print on a cylinder of 30 to 75 mm radius", GEOMETRY, _bent_print),
        Species("printed_photo_folded", "a print folded along the nose", GEOMETRY, _folded_print),
        Species(
            "printed_photo_waving", "a print held in a wave, lit from the side", GEOMETRY, _waving_print, held_out=True
        ),
        Species(
            "photo_with_holes", "a print on a living face, holes for eyes and nose", SIMILARITY, _holes, open_hole=True
        ),
        Species("cut_out_on_face", "a print cut out and bent over a living head", GEOMETRY, _cut_out),
        Species("screen_photo", "a photo on a screen, turned", GEOMETRY, _screen_photo),
        Species("screen_video_recorded", "a genuine session, recorded, on a screen", CUES, _screen_clip),
        Species(
            "screen_clip_library",
            "one clip a cue, picked live, on a screen",
            "passive",
            _screen_library,
            open_hole=True,
        ),
        Species("replayed_stream", "a genuine session's frames, injected again", CUES, _replayed),
        Species("shuffled_stream", "a genuine session's frames in another order", CUES, _shuffled),
        Species("looped_video", "three seconds of the victim, over and over", CUES, _looped),
        Species("sweeping_clip", "an injected clip that goes through all cues", CUES, _sweep),
        Species("puppet_2d", "an injected still picture, warped to obey", GEOMETRY, _puppet),
        Species("random_guessing", "an injected head that does not know the cues", CUES, _guessing),
        Species("shopping_for_cues", "an injected head that can turn and nothing else", CUES, _shopping),
        Species("impostor", "another living person", SIMILARITY, _impostor),
        Species("person_swapped", "another person for the first cues, then the victim", SIMILARITY, _swapped),
        Species("photo_beside_impostor", "another person, the victim's photo beside", SIMILARITY, _beside),
        Species("injected_clip_library", "one clip a cue, picked live, injected", "fresh", _library),
        Species("injected_render_perfect_pace", "an injected head, no reaction time", "reaction", _at_once),
        Species("injected_without_noise", "an injected head, no noise", NONE, _unlit, open_hole=True, camera=CLEAN),
        Species("colour_overlay", "an injected head, the screen's colours painted on", "light", _painted),
        Species("injected_render_natural", "the simulated phone itself", NONE, _render, open_hole=True),
    )
}
"""What cannot be rendered (silicone masks, head models, real-time face swaps) is *not measured*."""

NOT_MEASURED = ("silicone_mask", "head_model", "real_time_face_swap")
