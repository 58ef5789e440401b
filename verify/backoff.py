"""Waits between attempts at what failed: growing, spread, and as long as the other side asks for within reason."""

from collections.abc import Sequence

JITTER = 0.2
"""Each wait is longer by up to this share, so that what failed together is not repeated together."""

LONGEST_RETRY_AFTER = 86400.0


def next_wait(schedule: Sequence[float], attempts: int, *, jitter: float, asked: float | None = None) -> float | None:
    """Seconds until the next attempt after so many; None if there is none.

    `jitter`: 0 to 1, drawn by the caller. `asked`: for how long the other side asked to be left alone (seconds).
    """
    if attempts > len(schedule):
        return None
    return max(schedule[attempts - 1] * (1 + JITTER * jitter), min(asked or 0.0, LONGEST_RETRY_AFTER))
