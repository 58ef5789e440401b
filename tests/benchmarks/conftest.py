"""Fixtures for tests of the benches."""

import pytest

from benchmarks.commands import rendering
from benchmarks.load.reels import Advance, Reel, render_reel
from models.engine import Engine

_RENDERED: dict[tuple[bytes, int], Reel] = {}


@pytest.fixture(autouse=True)
def rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """People whom several tests let load a service are rendered for the first of them: that takes longest."""

    def remembered(photo: bytes, *, engine: Engine, seed: int, advance: Advance) -> Reel:
        if (photo, seed) not in _RENDERED:
            _RENDERED[photo, seed] = render_reel(photo, engine=engine, seed=seed, advance=advance)
        return _RENDERED[photo, seed]

    monkeypatch.setattr(rendering, "render_reel", remembered)
