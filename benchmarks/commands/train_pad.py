"""`heyan-bench train-pad`: trains the passive attack detection anew."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.pad_figures import draw_reliability
from benchmarks.people_split import Part, photos_of
from benchmarks.photos import SUFFIXES, PhotosError

TRAINING_SEED, CALIBRATION_SEED = 0, 1_000_000
HELD_OUT = 4
"""One scene of people who are not trained on for so many to train on."""


def train_pad(
    faces: Annotated[
        Path, typer.Option(help="folder of unlabelled faces, PERSON_1.jpg …", exists=True, file_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="where the network goes; its JSON beside it")],
    curve: Annotated[Path | None, typer.Option(help="PNG of the reliability curve to write")] = None,
    scenes: Annotated[int, typer.Option(min=512, help="rendered scenes to train on")] = 4096,
    steps: Annotated[int, typer.Option(min=100, help="of training, for each view")] = 6000,
    seed: Annotated[int, typer.Option(help="of weights and order")] = 1,
) -> None:
    """Render scenes, train on variations of them with the teacher's answers, and calibrate: under an hour on two cores.

    Needs PyTorch (`pip install torch`) and the teacher (`heyan models prepare --pack minifasnet`).
    """
    from benchmarks.pad_training.samples import Samples, make_samples, photo_views

    try:
        from benchmarks.pad_training import train as training
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"training needs {error.name}: pip install torch") from None
    with explained(), _progress() as progress:
        photos = [path for path in faces.iterdir() if path.suffix.lower() in SUFFIXES]
        names: tuple[Part, ...] = ("training", "calibration")
        parts = {part: photos_of(photos, part) for part in names}
        if not all(parts.values()):
            raise PhotosError(f"{faces} needs photos of more people: they are split into training and calibration")
        held_out_scenes = scenes // HELD_OUT
        rendering = progress.add_task("rendering", total=scenes + held_out_scenes)

        def rendered(part: Part, *, count: int, start: int) -> Samples:
            return make_samples(
                parts[part], scenes=count, seed=start, advance=lambda done: progress.advance(rendering, done)
            )

        held_out = rendered("calibration", count=held_out_scenes, start=CALIBRATION_SEED)
        trained_on = rendered("training", count=scenes, start=TRAINING_SEED)
        learning = progress.add_task("training", total=1.0)
        student = training.train(
            trained_on.views, steps=steps, seed=seed, advance=lambda share: progress.advance(learning, share)
        )
        calibration, figures = training.calibrated(student, held_out, photo_views(parts["calibration"]))
    about: dict[str, object] = {"scenes": scenes, "steps": steps, "seed": seed, **figures}
    training.write(student, calibration, network=out, about=about)
    if curve is not None:
        draw_reliability(curve, figures["reliability"])
    typer.echo(f"{out}: SHA-256 {sha256(out.read_bytes()).hexdigest()}")
    typer.echo(f"calibration: {figures}")


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
