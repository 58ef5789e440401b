"""Simulated people for benches that load the service: rendered once, with progress, before anything is timed."""

from rich.progress import Progress

from benchmarks.load.reels import FRAMES_A_REEL, Reel, render_reel
from benchmarks.photos import load_portraits, people_of
from models.engine import Engine
from models.prepare import default_data_dir


def render_people(count: int, engine: Engine, progress: Progress) -> list[Reel]:
    """Answers of the first `count` people of the portraits.

    Raises:
        models.errors.ModelError: the portraits cannot be had.
    """
    photos = [person.photos[-1] for person in people_of(load_portraits(default_data_dir()))[:count]]
    task = progress.add_task("rendering answers", total=len(photos) * FRAMES_A_REEL)
    return [
        render_reel(photo, engine=engine, seed=seed, advance=lambda: progress.advance(task))
        for seed, photo in enumerate(photos)
    ]
