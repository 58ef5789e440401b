"""Simulated people for benches that load the service: rendered once, with progress, before anything is timed."""

from itertools import cycle, islice

from rich.progress import Progress

from benchmarks.load.reels import FRAMES_A_REEL, Reel, render_reel
from benchmarks.photos import load_portraits, people_of
from models.engine import Engine
from models.prepare import default_data_dir


def render_people(count: int, engine: Engine, progress: Progress) -> list[Reel]:
    """Answers of so many people. Beyond the portraits faces come again, as people who move and stand otherwise.

    Raises:
        models.errors.ModelError: the portraits cannot be had.
    """
    faces = cycle(person.photos[-1] for person in people_of(load_portraits(default_data_dir())))
    photos = list(islice(faces, count))
    task = progress.add_task("rendering answers", total=len(photos) * FRAMES_A_REEL)
    return [
        render_reel(photo, engine=engine, seed=seed, advance=lambda: progress.advance(task))
        for seed, photo in enumerate(photos)
    ]
