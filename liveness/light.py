"""Does the face answer the colours that the screen shows, and more than what is behind it?

The screen's light falls on a face some 40 cm away and hardly on a wall behind it. Exposure, white balance and lamps
scale face and background alike, so that their log ratio, channel by channel in linear light, keeps the screen's part
alone:

    y(t, c) = ln face(t, c) - ln background(t, c) = constant + slow drift + gain * x(t - lag, c)

with x the screen's linear emission (the idea of flash-reflection liveness: Tang et al., "Face Flashing", NDSS 2018; the
ratio takes the camera's automatics out). A sequence counts as answered if its correlation, at the best lag, beats that
of other sequences that might have been drawn, each at its own best lag: the search for the lag is part of the null
distribution (a Monte-Carlo permutation test; Davison & Hinkley, "Bootstrap Methods", 1997, 4.2).

A reflection scales dark and light places of the face by the same factor; paint that is laid over a picture adds the
same light everywhere, so that dark places answer far more. `texture` is the ratio of both answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from liveness.colours import SCREENS_PER_CHALLENGE, Colour, draw_colours
from models.illumination import Illumination, Rgb

Floats = NDArray[np.float64]

LAGS = (0, 1, 2, 3)
"""Frames by which the face may follow the screen: display, exposure and the camera's own queue."""
NULL_SEQUENCES = 400
LEAST_FRAMES = 2 * SCREENS_PER_CHALLENGE
"""Frames below which nothing is concluded."""
OUTLIER = 4.0
"""Deviations (1.4826 median absolute deviations) beyond which a value is drawn in: a blink, a passing car."""
DARKEST = 1e-4
"""Linear light below which a logarithm means nothing."""


@dataclass(frozen=True, slots=True)
class LitFrame:
    """What a frame showed while the screen had a colour. `screen`: its place in the sequence."""

    screen: int
    seen: Illumination


@dataclass(frozen=True, slots=True, kw_only=True)
class LightAnswer:
    """How a face answered a sequence of colours."""

    correlation: float
    """Of face against background with the screen, at the best lag, -1 to 1."""
    chance: float
    """Share of other sequences that do as well by accident, 0 to 1."""
    lag: int
    """Frames."""
    gain: float
    """Change of the log ratio from dark to full: about the screen's light as a share of the other light."""
    texture: float
    """Answer of dark places over that of light ones: 1 for a reflection, several for paint."""
    frames: int


def measure_light(frames: Sequence[LitFrame], colours: Sequence[Colour]) -> LightAnswer | None:
    """Match frames, in order, with the colours that were shown. None if too few frames are light enough."""
    usable = [frame for frame in frames if _is_lit(frame.seen)]
    if len(usable) < LEAST_FRAMES or len(colours) < SCREENS_PER_CHALLENGE:
        return None
    screens = np.array([frame.screen for frame in usable])
    skin, features = (_answers(usable, part) for part in ("skin", "features"))
    emitted = np.concatenate([_emission([colours]), _null_emission()])
    expected = np.stack([_detrended(_at_lag(emitted, screens, lag)) for lag in LAGS], axis=1)
    correlations = _correlations(expected, skin)
    lag = int(np.argmax(correlations[0]))
    best = float(correlations[0, lag])
    return LightAnswer(
        correlation=best,
        chance=float((1 + (correlations[1:].max(axis=1) >= best).sum()) / (1 + NULL_SEQUENCES)),
        lag=LAGS[lag],
        gain=_slope(expected[0, lag], skin),
        texture=_slope(expected[0, lag], features) / max(_slope(expected[0, lag], skin), 1e-6),
        frames=len(usable),
    )


@cache
def _null_emission() -> Floats:
    """Of sequences that might have been drawn as well: always the same, so that a session is judged alike again."""
    rng = Random(0)  # noqa: S311  (no secret: the null distribution)
    return _emission([draw_colours(rng) for _ in range(NULL_SEQUENCES)])


def _emission(sequences: Sequence[Sequence[Colour]]) -> Floats:
    """Linear light by sequence, screen and channel, (sequences, screens, 3)."""
    return np.array([[colour.linear for colour in sequence] for sequence in sequences])


def _is_lit(seen: Illumination) -> bool:
    return min(*seen.skin, *seen.features, *seen.background) > DARKEST


def _answers(frames: Sequence[LitFrame], part: str) -> Floats:
    """Log ratio of a part of the face and the background, without drift and outliers, (frames, 3)."""
    face: list[Rgb] = [getattr(frame.seen, part) for frame in frames]
    ratios = np.log(np.array(face)) - np.log(np.array([frame.seen.background for frame in frames]))
    detrended = _detrended(ratios)
    spread = 1.4826 * np.median(np.abs(detrended), axis=0)
    return _detrended(np.clip(detrended, -OUTLIER * spread, OUTLIER * spread))


def _at_lag(emitted: Floats, screens: NDArray[np.int_], lag: int) -> Floats:
    """Emission that reaches each frame, (sequences, frames, 3): that of `lag` frames before."""
    earlier = np.concatenate([np.full(lag, screens[0]), screens[: len(screens) - lag]])
    return np.asarray(emitted[:, earlier])


def _detrended(values: Floats) -> Floats:
    """Without mean and straight line along the frames, the last axis but one."""
    count = values.shape[-2]
    time = np.linspace(-1, 1, count)[:, None]
    centred = values - values.mean(axis=-2, keepdims=True)
    slope = (centred * time).sum(axis=-2, keepdims=True) / (time**2).sum()
    return np.asarray(centred - slope * time)


def _correlations(expected: Floats, answered: Floats) -> Floats:
    """Of every sequence at every lag, over all frames and channels together, (sequences, lags)."""
    products = np.einsum("slfc,fc->sl", expected, answered)
    norms = np.sqrt(np.einsum("slfc,slfc->sl", expected, expected) * (answered**2).sum())
    return np.asarray(products / np.maximum(norms, 1e-12))


def _slope(expected: Floats, answered: Floats) -> float:
    return float((expected * answered).sum() / max(float((expected**2).sum()), 1e-12))
