"""Many sessions on the simulated clock, side by side in processes: the service's own path, without its waiting."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

import cv2

from benchmarks.phone.casting import flat_sheet, frontal, living
from benchmarks.phone.network import GOOD, Network
from benchmarks.phone.offline import Offline
from benchmarks.phone.person import Actor
from liveness.challenge import draw_challenge
from models.engine import Engine
from models.errors import ModelsError
from models.image import decode_image
from models.prepare import default_data_dir
from verify.decision import Decision, decide
from verify.live import LiveSession
from verify.policy import load_policy

Casting = Callable[..., Actor]

SPECIES: dict[str, Casting] = {"bona_fide": living, "flat_photo": flat_sheet}
"""Who can play, by name: names cross process borders, functions do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One session: a photo, which is both reference and what is shown, and who shows it."""

    photo: Path
    species: str
    seed: int
    network: Network = GOOD


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial."""

    trial: Trial
    decision: Decision


def run_trials(trials: Sequence[Trial], *, processes: int | None = None) -> Iterator[Outcome]:
    """Run all trials, in order of the list; one engine a process."""
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_trial, trials)


def run_trial(trial: Trial) -> Outcome:
    """Play one session and decide on it."""
    engine, policy, rng = _engine(), load_policy(), Random(trial.seed)
    photo = trial.photo.read_bytes()
    session = LiveSession(
        engine=engine,
        challenge=draw_challenge(rng),
        reference=engine.reference(decode_image(photo)),
        policy=policy,
        started_at=0.0,
    )
    actor = SPECIES[trial.species](photo, engine=engine, rng=rng)
    evidence = Offline(actor, session, rng, network=trial.network).run()
    return Outcome(trial, decide(evidence, policy))


def usable_photos(candidates: Sequence[Path], *, engine: Engine, count: int) -> tuple[Path, ...]:
    """The first `count` photos that show one frontal face, as an ID photo does."""
    usable = filter(partial(_is_usable, engine=engine), candidates)
    return tuple(photo for photo, _ in zip(usable, range(count), strict=False))


def _is_usable(photo: Path, *, engine: Engine) -> bool:
    try:
        return frontal(photo.read_bytes(), engine=engine)
    except ModelsError:
        return False


@cache
def _engine() -> Engine:
    cv2.setNumThreads(1)
    return Engine.open(data_dir=default_data_dir())
