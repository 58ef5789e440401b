"""Who and what is around a face: the person cut out of a photo, walls, clothes, and the hand that holds a print."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Cover = NDArray[np.float32]

CUT_SIDE = 120
"""Pixels of the copy on which a person is cut out."""


def person_cover(picture: Picture, box: NDArray[np.float32]) -> Cover:
    """The share of each pixel that belongs to the person, 0 to 1, (H, W): GrabCut (Rother et al., SIGGRAPH 2004),
    begun with an ellipse for the head and a block for the shoulders. `box`: the face's x, y, w, h."""
    height, width = picture.shape[:2]
    scale = CUT_SIDE / max(height, width)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, w, h = (float(value) for value in box * scale)
    guess = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    middle = (int(x + w / 2), int(y + h * 0.45))
    cv2.ellipse(guess, middle, (int(w * 0.95), int(h * 0.95)), 0, 0, 360, cv2.GC_PR_BGD, -1)
    cv2.rectangle(guess, (int(x - w), int(y + h)), (int(x + 2 * w), guess.shape[0]), cv2.GC_PR_BGD, -1)
    cv2.ellipse(guess, middle, (int(w * 0.62), int(h * 0.72)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.rectangle(guess, (int(x - 0.4 * w), int(y + 1.25 * h)), (int(x + 1.4 * w), guess.shape[0]), cv2.GC_PR_FGD, -1)
    cv2.ellipse(guess, middle, (int(w * 0.42), int(h * 0.5)), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.setRNGSeed(0)
    background, foreground = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(small, guess, (0, 0, 1, 1), background, foreground, 3, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return np.asarray(cv2.resize(cv2.GaussianBlur(inside, (0, 0), 0.8), (width, height)), np.float32)


def wall(height: int, width: int, rng: np.random.Generator) -> Picture:
    """A plain wall or backdrop, mostly light, unevenly lit."""
    base = rng.uniform(90, 250) * rng.uniform(0.85, 1.1, 3)
    corners = rng.uniform(0.75, 1.2, (2, 2)).astype(np.float32)
    light = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(light[..., None] * base, 0, 255).astype(np.uint8)


def clothed(behind: Picture, rng: np.random.Generator) -> Picture:
    """Somebody's clothes over the lower part of a picture: one colour with folds, sometimes a printed pattern."""
    height, width = behind.shape[:2]
    top, half = height * rng.uniform(0.3, 0.75), width * rng.uniform(0.35, 0.8)
    middle = width * rng.uniform(0.3, 0.7)
    outline = np.array(
        [[middle - 0.3 * half, top], [middle + 0.3 * half, top], [middle + half, height], [middle - half, height]]
    )
    cover = np.zeros((height, width), np.uint8)
    cv2.fillPoly(cover, [outline.astype(np.int32)], 255)
    share = cv2.GaussianBlur(cover, (0, 0), 3).astype(np.float32)[..., None] / 255
    folds = cv2.resize(
        rng.uniform(0.75, 1.1, (6, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    cloth = folds[..., None] * rng.uniform(20, 245, 3)
    if rng.random() < 0.4:
        stripes = np.sin(np.arange(height) * rng.uniform(0.1, 0.8))[:, None, None] > rng.uniform(-0.5, 0.9)
        cloth = np.where(stripes, cloth, folds[..., None] * rng.uniform(20, 245, 3))
    return np.clip(share * cloth + (1 - share) * behind, 0, 255).astype(np.uint8)


def gripped(scene: Picture, edge: NDArray[np.float64], rng: np.random.Generator) -> Picture:
    """Fingers over a picture's edge. `edge`: (2, 2), both ends of the edge that is held, in pixels of the scene."""
    height, width = scene.shape[:2]
    skin = rng.uniform(0.45, 1.0) * np.array([150, 175, 225]) * rng.uniform(0.9, 1.1, 3)
    across = edge[1] - edge[0]
    thick = max(6, int(np.hypot(*across) * rng.uniform(0.1, 0.18)))
    inward = np.array([across[1], -across[0]]) / max(float(np.hypot(*across)), 1.0)
    drawn = scene.astype(np.float32)
    start = rng.uniform(0.15, 0.6)
    for number in range(int(rng.integers(1, 4))):
        root = edge[0] + (start + 0.14 * number) * across
        tip = root + inward * thick * rng.uniform(0.2, 1.8)
        cover = np.zeros((height, width), np.uint8)
        ends = [tuple(int(value) for value in point) for point in (root - inward * 6 * thick, tip)]
        cv2.line(cover, ends[0], ends[1], 255, thick, cv2.LINE_AA)
        depth = cv2.GaussianBlur(cover, (0, 0), thick * 0.3).astype(np.float32)[..., None] / 255
        share = cover.astype(np.float32)[..., None] / 255
        drawn = np.asarray(share * (skin * (0.45 + 0.6 * depth)) + (1 - share) * drawn, np.float32)
    return np.clip(drawn, 0, 255).astype(np.uint8)
