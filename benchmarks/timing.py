"""Interleaved timing: A B A B, so that a noisy machine disturbs all alike; medians are quoted."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

Work = Callable[[], object]

WARM_UP_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of one piece of work in every round."""

    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return median(self.milliseconds)

    @property
    def spread(self) -> float:
        """Between the quartiles, in milliseconds: how noisy the machine was."""
        low, _, high = quantiles(self.milliseconds, n=4)
        return high - low


def interleaved(works: Mapping[str, Work], *, rounds: int, advance: Callable[[], object]) -> dict[str, Timed]:
    """Run every work once a round, `rounds` ≥ 2 times, after a warm-up; `advance` is called after each round.

    The garbage collector is off meanwhile: its pauses belong to no stage.
    """
    for _ in range(WARM_UP_ROUNDS):
        for work in works.values():
            work()
    found: dict[str, list[float]] = {name: [] for name in works}
    with without_collector():
        for _ in range(rounds):
            for name, work in works.items():
                started = perf_counter()
                work()
                found[name].append(1000 * (perf_counter() - started))
            advance()
    return {name: Timed(tuple(milliseconds)) for name, milliseconds in found.items()}


@contextmanager
def without_collector() -> Iterator[None]:
    """The garbage collector is off meanwhile, and has just run."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def median_ratio(whole: Timed, bare: Timed) -> float:
    """Median over rounds of whole ÷ bare: both were measured side by side."""
    return median(one / other for one, other in zip(whole.milliseconds, bare.milliseconds, strict=True))
