"""The light of the phone's own screen on whatever is before it, against the light of the room.

A phone's screen of 70 by 150 mm with 500 cd/m2 gives some 33 lux at 400 mm (L A / d^2); rooms have 100 to 500.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SCREEN_LUX = 33.0
"""White, at `REFERENCE_MM`."""
REFERENCE_MM = 400.0
LATENCY_SECONDS = 0.06
"""From the page's order to the panel's light."""
RISE_SECONDS = 0.04

Rgb = NDArray[np.float64]


@dataclass(slots=True)
class Lamp:
    """The screen as a lamp. `room_lux`: on the face, of everything else."""

    room_lux: float
    _before: Rgb = field(default_factory=lambda: np.zeros(3))
    _now: Rgb = field(default_factory=lambda: np.zeros(3))
    _since: float = 0.0
    used: bool = False

    def show(self, colour: str, at: float) -> None:
        """The page orders a colour, #rrggbb."""
        self._before, self.used = self.light(at), True
        coded = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        self._now, self._since = coded**2.2, at

    def light(self, at: float) -> Rgb:
        """Linear light of the panel by channel, RGB, 0 to 1."""
        share = float(np.clip((at - self._since - LATENCY_SECONDS) / RISE_SECONDS, 0, 1))
        return self._before + share * (self._now - self._before)

    def glow(self, nearness: NDArray[np.float32], at: float) -> NDArray[np.float32] | None:
        """Factor of light by place and channel, (h, w, 3) BGR; None while the screen shows no colours.

        `nearness`: the screen's light at each place as a share of that at the reference distance, facing it, (h, w).
        """
        if not self.used:
            return None
        share = (SCREEN_LUX / self.room_lux * self.light(at)[::-1]).astype(np.float32)
        return np.asarray(1 + nearness[..., None] * share, np.float32)
