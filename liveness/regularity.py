"""Which frames came at an even pace: only between those does time on the server's clock mean time before the camera.

Bursts and jitter are what bad networks do. They are evidence of nothing, and they make every measure of speed or
reaction meaningless: such frames are left out.
"""

from collections.abc import Sequence

from liveness.observation import Observation

EVEN_SECONDS = (0.04, 0.35)
"""Gaps between frames at 3 to 25 a second."""
RUN = 3
"""Even gaps in a row, up to and including the one before a frame."""


def even_paced(observations: Sequence[Observation]) -> list[bool]:
    """For each observation, whether the last few gaps were even."""
    run, found = 0, []
    for place, observation in enumerate(observations):
        gap = observation.at - observations[place - 1].at if place else 0.0
        run = run + 1 if EVEN_SECONDS[0] <= gap <= EVEN_SECONDS[1] else 0
        found.append(run >= RUN)
    return found
