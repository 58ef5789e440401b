"""How many network runs side by side, and how many threads for each: measured on this machine, not guessed.

What is run is what a frame of a live session costs of the networks: one detection of the frame, one around the face,
and for every sixth frame an embedding and an attack detector's answer (a session compares some eight of fifty frames).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

import numpy as np

from models.alignment import SIDE
from models.detection import FIRST_SIDE, NEAR_SIDE
from models.engine import Engine
from models.pad_crops import SIDE as VIEW_SIDE

COMPARED_EVERY = 6
CLOSE = 0.97
"""A choice whose rate is at least this share of the best one's is as good; then the shorter wait decides."""


@dataclass(frozen=True, slots=True, order=True)
class Choice:
    """`workers` ≥ 1 runs side by side, each on `threads` ≥ 1 threads."""

    workers: int
    threads: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What a choice gave; medians over rounds."""

    frames_per_s: float
    frame_p95_ms: float
    """Of the networks' part of a frame."""


def choices(cores: int) -> tuple[Choice, ...]:
    """Powers of two and the number of cores itself, that use between half and twice the cores."""
    steps = sorted({1, cores, *(2**power for power in range(cores.bit_length()))})
    return tuple(
        Choice(workers, threads)
        for workers in steps
        for threads in steps
        if cores / 2 <= workers * threads <= 2 * cores
    )


def measure(
    tried: Sequence[Choice],
    *,
    opened: Callable[[int], Engine],
    seconds: float,
    rounds: int,
    advance: Callable[[], object],
) -> dict[Choice, Tried]:
    """Every choice for `seconds` in each round, one after the other; `advance` after each.

    `opened` gives an engine of so many threads. Raises what it raises.
    """
    engines = {threads: opened(threads) for threads in {choice.threads for choice in tried}}
    found: dict[Choice, list[Tried]] = {choice: [] for choice in tried}
    for _ in range(rounds):
        for choice in tried:
            found[choice].append(_run(engines[choice.threads], choice.workers, seconds))
            advance()
    return {
        choice: Tried(median(each.frames_per_s for each in some), median(each.frame_p95_ms for each in some))
        for choice, some in found.items()
    }


def best(found: Mapping[Choice, Tried]) -> Choice:
    """The highest rate; of those close to it the one whose frames are answered soonest."""
    most = max(each.frames_per_s for each in found.values())
    close = [choice for choice, each in found.items() if each.frames_per_s >= CLOSE * most]
    return min(close, key=lambda choice: (found[choice].frame_p95_ms, choice))


def _run(engine: Engine, workers: int, seconds: float) -> Tried:
    until = perf_counter() + seconds
    with ThreadPoolExecutor(workers) as pool:
        parts = [pool.submit(lambda: list(_frames(engine, until))) for _ in range(workers)]
        took = [each for part in parts for each in part.result()]
    spent = perf_counter() - until + seconds
    late = quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return Tried(round(len(took) / spent, 1), round(1000 * late, 2))


def _frames(engine: Engine, until: float) -> Iterator[float]:
    """Seconds of one frame after the other, at least one."""
    frame, around = np.zeros((1, FIRST_SIDE, 256, 3), np.uint8), np.zeros((1, NEAR_SIDE, NEAR_SIDE, 3), np.uint8)
    face, views = np.zeros((1, SIDE, SIDE, 3), np.uint8), np.zeros((1, 2, VIEW_SIDE, VIEW_SIDE, 3), np.uint8)
    number, started = 0, perf_counter()
    while number == 0 or started < until:
        engine.detector.network.run(frame)
        engine.detector.network.run(around)
        if number % COMPARED_EVERY == 0:
            engine.embedder.network.run(face)
            engine.attack_detector.network.run(views)
        ended = perf_counter()
        yield ended - started
        number, started = number + 1, ended
