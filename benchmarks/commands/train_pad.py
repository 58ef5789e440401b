"""`heyan-bench train-pad`: trains the passive attack detection anew."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.people_split import Part, photos_of
from benchmarks.photos import SUFFIXES, PhotosError

TRAINING_SEED, CALIBRATION_SEED = 0, 1_000_000


def train_pad(
    faces: Annotated[
        Path, typer.Option(help="folder of unlabelled faces, PERSON_1.jpg …", exists=True, file_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="where the network goes; its JSON beside it")],
    scenes: Annotated[int, typer.Option(min=512, help="rendered scenes to train on")] = 14_000,
    variations: Annotated[int, typer.Option(min=0, help="of each scene")] = 3,
    seed: Annotated[int, typer.Option(help="of weights and order")] = 1,
) -> None:
    """Render samples, ask the teacher, train and calibrate; about an hour on two cores, with 12 GB of memory.

    Needs PyTorch (`pip install torch`) and the teacher (`heyan models prepare --pack minifasnet`).
    """
    from benchmarks.pad_training.samples import Samples, make_samples

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
        rendering = progress.add_task("rendering", total=scenes + scenes // 8)

        def made_of(part: Part, *, count: int, copies: int, start: int) -> Samples:
            return make_samples(
                parts[part],
                scenes=count,
                variations=copies,
                seed=start,
                advance=lambda done: progress.advance(rendering, done),
            )

        held_out = made_of("calibration", count=scenes // 8, copies=0, start=CALIBRATION_SEED)
        trained_on = made_of("training", count=scenes, copies=variations, start=TRAINING_SEED)
        learning = progress.add_task("training", total=1.0)
        student = training.train(trained_on.views, seed=seed, advance=lambda share: progress.advance(learning, share))
    about = {
        "trained_on": len(trained_on.attack),
        "people": {part: len(found) for part, found in parts.items()},
        "seed": seed,
    }
    calibration, figures = training.calibrated(student, held_out)
    training.write(student, calibration, network=out, about={**about, **figures})
    typer.echo(f"{out}: SHA-256 {sha256(out.read_bytes()).hexdigest()}")
    typer.echo(f"calibration: {figures}")


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
