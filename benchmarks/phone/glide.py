"""Smooth motion of one quantity between targets, as muscles do it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Glide:
    """A value that glides to a target with minimum jerk (Flash & Hogan, J. Neurosci. 5, 1985). Seconds."""

    value: float
    start: float = 0.0
    begins: float = 0.0
    ends: float = 0.0

    def __post_init__(self) -> None:
        self.start = self.value

    def head_for(self, target: float, *, at: float, begins: float, seconds: float) -> None:
        """From wherever the value is at `at`, go to `target`, starting at `begins`."""
        self.start = self.at(at)
        self.value, self.begins, self.ends = target, begins, begins + seconds

    def at(self, time: float) -> float:
        """The value at a time."""
        if time >= self.ends:
            return self.value
        share = max(0.0, (time - self.begins) / (self.ends - self.begins))
        return self.start + (self.value - self.start) * share**3 * (10 - 15 * share + 6 * share**2)
