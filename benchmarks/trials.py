"""Many sessions on the simulated clock, side by side in processes: the service's own path, without its waiting."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

import cv2

from benchmarks.attacks.catalogue import CUES, GEOMETRY, GEOMETRY_SIGNALS, SIMILARITY, SPECIES, Crime, Likeness
from benchmarks.attacks.naive import NaiveSession
from benchmarks.phone.camera import Camera, CameraModel
from benchmarks.phone.casting import frontal, living
from benchmarks.phone.network import GOOD, Network
from benchmarks.phone.offline import Offline
from benchmarks.phone.person import Actor
from liveness.challenge import Accommodation, Challenge, draw_challenge
from liveness.report import Signal, Status
from models.engine import Engine
from models.errors import ModelsError
from models.image import decode_image
from models.prepare import default_data_dir
from verify.decision import Decision, decide
from verify.evidence import Evidence
from verify.live import LiveSession
from verify.policy import Policy, load_policy

BONA_FIDE = "bona_fide"
CAMERA = Camera()

SWITCHED_OFF = {GEOMETRY: GEOMETRY_SIGNALS, SIMILARITY: ("same_face",), CUES: ()}
"""Signals that go with a countermeasure that is no signal itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One session. `photo` is the reference and what an attack shows; `other`: the attacker's own face."""

    photo: Path
    species: str
    seed: int
    other: Path | None = None
    network: Network = GOOD
    camera: CameraModel = CAMERA
    frames_per_second: float = 8.0
    unrest: float = 1.0
    glasses: bool = False
    room_lux: float | None = None
    light: bool = True
    """False: opts out of light cues."""
    unguarded: bool = False
    """Whether the species' countermeasure is switched off: what the attack is worth without it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial. The decision follows from the evidence and the policy in force."""

    trial: Trial
    evidence: Evidence
    decision: Decision


def run_trials(trials: Sequence[Trial], *, processes: int | None = None) -> Iterator[Outcome]:
    """Run all trials, in order of the list; one engine a process."""
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_trial, trials)


def run_trial(trial: Trial) -> Outcome:
    """Play one session and decide on it."""
    return judged(trial, play(trial), load_policy())


def judged(trial: Trial, evidence: Evidence, policy: Policy) -> Outcome:
    """Decide on what a trial showed."""
    if trial.unguarded:
        decision = decide_without(SPECIES[trial.species].countermeasure, evidence, policy)
    else:
        decision = decide(evidence, policy)
    return Outcome(trial, evidence, decision)


def play(trial: Trial) -> Evidence:
    """Play one session."""
    engine, policy, rng = _engine(), load_policy(), Random(trial.seed)
    challenge = draw_challenge(rng, Accommodation(light=trial.light))
    photo = trial.photo.read_bytes()
    session = _session_kind(trial)(
        engine=engine,
        challenge=challenge,
        reference=engine.reference(decode_image(photo)),
        policy=policy,
        started_at=0.0,
    )
    known = challenge if trial.unguarded and SPECIES[trial.species].countermeasure == CUES else None
    actor = actor_of(trial, photo, engine, rng, known=known)
    phone = Offline(
        actor, session, rng, camera=camera_of(trial), network=trial.network, frames_per_second=trial.frames_per_second
    )
    return phone.run()


def as_played(trial: Trial) -> Trial:
    """The trial as far as its session goes: where a signal or the similarity is switched off, that is the guarded one,
    and only the decision differs."""
    if trial.unguarded and SPECIES[trial.species].countermeasure not in (GEOMETRY, CUES):
        return replace(trial, unguarded=False)
    return trial


def decide_without(countermeasure: str, evidence: Evidence, policy: Policy) -> Decision:
    """The decision if one countermeasure were switched off: an attack that fails anyway proves nothing."""
    if countermeasure == SIMILARITY:
        policy = replace(policy, similarity=-1.0, least_similarity=-1.0)
    off = {*SWITCHED_OFF.get(countermeasure, (countermeasure,))}
    signals = tuple(_passing(signal) if signal.name in off else signal for signal in evidence.liveness.signals)
    return decide(replace(evidence, liveness=replace(evidence.liveness, signals=signals)), policy)


def _session_kind(trial: Trial) -> type[LiveSession]:
    """Without geometry a service takes every face for a plane, also while it listens for the cues."""
    naive = trial.unguarded and SPECIES[trial.species].countermeasure == GEOMETRY
    return NaiveSession if naive else LiveSession


def usable_photos(candidates: Sequence[Path], *, engine: Engine, count: int) -> tuple[Path, ...]:
    """The first `count` photos that show one frontal face, as an ID photo does."""
    usable = filter(partial(_is_usable, engine=engine), candidates)
    return tuple(photo for photo, _ in zip(usable, range(count), strict=False))


def camera_of(trial: Trial) -> CameraModel:
    """The camera that sees a trial's scene, or that an attack pretends to have."""
    species = SPECIES.get(trial.species)
    return species.camera if species is not None and species.camera is not None else trial.camera


def _passing(signal: Signal) -> Signal:
    return replace(signal, status=Status.PASS, score=1.0)


def actor_of(trial: Trial, photo: bytes, engine: Engine, rng: Random, *, known: Challenge | None = None) -> Actor:
    """Who or what is before the camera. `known`: the challenge, to an attacker with foreknowledge."""
    if trial.species == BONA_FIDE:
        return living(
            photo, engine=engine, rng=rng, unrest=trial.unrest, glasses=trial.glasses, room_lux=trial.room_lux
        )
    victim = Likeness.of(photo, engine)
    attacker = Likeness.of(trial.other.read_bytes(), engine) if trial.other is not None else victim
    return SPECIES[trial.species].stage(Crime(victim=victim, attacker=attacker, rng=rng, challenge=known))


def _is_usable(photo: Path, *, engine: Engine) -> bool:
    try:
        return frontal(photo.read_bytes(), engine=engine)
    except ModelsError:
        return False


@cache
def _engine() -> Engine:
    cv2.setNumThreads(1)
    return Engine.open(data_dir=default_data_dir())
