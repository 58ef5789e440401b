"""Trains the student and writes it with its calibration."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor, nn

from benchmarks.pad_training.samples import Samples
from benchmarks.pad_training.student import SHAPES, Shape, Student, ViewNet, scaled, to_onnx
from benchmarks.pad_training.teacher import Teacher, live_logit
from benchmarks.pad_training.variations import varied
from models.prepare import default_data_dir

BATCH = 32
"""Views that the teacher answers at a time."""
APART, TOGETHER = 8, 16
"""Views that the student learns from at a time: part by part, and through all parts."""
APART_SHARE = 0.45
"""Of the steps: each part learns by itself, from what the teacher's part before it gives."""
RATE_APART, RATE_TOGETHER = 0.02, 1e-3
WARM_UP, COOL_DOWN = 40, 240
"""Steps in which the rate rises from nothing and, at the end, falls to nothing."""
DECAY = 1e-4

POSITIONS = 1600
"""A part that learns by itself sees no more views than give it about so many positions: each is an example."""

LOGITS = 4.0
"""Weight of the logits while the parts learn together; every other tap weighs 1. All are in units of the teacher's
variance."""

LINE = 0.0
"""Logit of the threshold for single frames: the teacher's own line, where it finds "live" as likely as all else.
Photos of people who were not trained on tell what it costs."""

Loss = Callable[[ViewNet, Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor]
"""Of a network, what it sees, what the teacher says of it, and the units of that."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling (Platt, 1999): probability of "live" = 1 / (1 + exp(−(slope · logit + offset)))."""

    slope: float
    offset: float
    threshold: float
    """A single frame counts as an attack below this probability."""

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of mean logits (N,)."""
        return np.asarray(expit(self.slope * logits + self.offset), np.float64)


def train(views: NDArray[np.uint8], *, steps: int, seed: int, advance: Callable[[float], object]) -> Student:
    """Fit both views' networks, each in a process of its own.

    `views`: uint8 (N, 2, 80, 80, 3) BGR. `advance` gets shares of the whole work, which sum up to 1.

    Raises:
        ModelError: `model_missing` if the teacher is not prepared.
    """
    context = get_context("spawn")
    with TemporaryDirectory() as folder, context.Manager() as manager, ProcessPoolExecutor(2, context) as pool:
        done: Queue[float] = manager.Queue()
        learning = []
        for place in range(len(SHAPES)):
            stored = Path(folder) / f"{place}.npy"
            np.save(stored, views[:, place])
            learning.append(pool.submit(_learn, stored, place, steps, seed, done))
        _follow(learning, done, advance)
        near, far = (_restored(future.result(), shape) for future, shape in zip(learning, SHAPES, strict=True))
    return Student(near, far)


def _follow(
    learning: Sequence["Future[dict[str, NDArray[np.float32]]]"],
    done: "Queue[float]",
    advance: Callable[[float], object],
) -> None:
    pending = True
    while pending:
        pending = bool(wait(learning, timeout=1.0).not_done)
        while not done.empty():
            advance(done.get() / len(learning))


def _learn(stored: Path, place: int, steps: int, seed: int, done: "Queue[float]") -> dict[str, NDArray[np.float32]]:
    teacher = Teacher.load(default_data_dir(), place)
    net = train_view(
        np.load(stored), teacher, SHAPES[place], steps=steps, seed=seed, advance=lambda _: done.put(1 / steps)
    )
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def _restored(state: dict[str, NDArray[np.float32]], shape: Shape) -> ViewNet:
    net = ViewNet(shape)
    net.fold()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return net.eval()


def train_view(
    views: NDArray[np.uint8],
    teacher: Teacher,
    shape: Shape,
    *,
    steps: int,
    seed: int,
    advance: Callable[[float], object],
) -> ViewNet:
    """Fit one view's network to what the teacher says of ever new variations; `advance` gets the loss of each step.

    The teacher answers to the very view that the student sees, for as long as it takes (Beyer et al., Knowledge
    distillation: a good teacher is patient and consistent, 2022), first part by part, then through all parts.

    `views`: uint8 (N, 80, 80, 3) BGR. Runs on one thread, so that two views train side by side and a seed makes the
    same network on the same machine.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(mode=True)
    rng = np.random.default_rng(seed)
    net = ViewNet(shape).to(memory_format=torch.channels_last)
    apart = int(APART_SHARE * steps)
    lessons = _lessons(views, teacher, rng)
    for loss in _learned(net, lessons, _apart, count=apart, size=APART, rate=RATE_APART):
        advance(loss)
    net.fold()
    for loss in _learned(net, lessons, _together, count=steps - apart, size=TOGETHER, rate=RATE_TOGETHER):
        advance(loss)
    return net.eval()


def _lessons(views: NDArray[np.uint8], teacher: Teacher, rng: np.random.Generator) -> Iterator[list[Tensor]]:
    """Without end: a batch of variations, and what the teacher says of it."""
    while True:
        drawn = rng.integers(len(views), size=BATCH)
        batch = np.stack([varied(views[place], views, rng) for place in drawn])
        yield [
            _laid(scaled(torch.from_numpy(batch))),
            *(_laid(torch.from_numpy(tap)) for tap in teacher.answers(batch)),
        ]


def _learned(
    net: ViewNet, lessons: Iterator[list[Tensor]], loss_of: Loss, *, count: int, size: int, rate: float
) -> Iterator[float]:
    """The loss of each of `count` steps, each on `size` views."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / WARM_UP, (count - step) / COOL_DOWN)
    )
    scales: list[Tensor] = []
    handfuls = (each for lesson in lessons for each in zip(*(tensor.split(size) for tensor in lesson), strict=True))
    for seen, *wanted in islice(handfuls, count):
        scales = scales or [tap.var(dim=0).mean() for tap in wanted]
        loss = loss_of(net, seen, wanted, scales)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        yield float(loss.detach())


def _laid(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _apart(net: ViewNet, seen: Tensor, wanted: Sequence[Tensor], scales: Sequence[Tensor]) -> Tensor:
    """Each part is given what the teacher's part before it gave."""
    loss = torch.zeros(())
    for part, given, should, scale in zip(net.parts, [seen, *wanted[:-1]], wanted, scales, strict=True):
        count = max(1, POSITIONS // should[0, 0].numel())
        loss = loss + nn.functional.mse_loss(part(given[:count]), should[:count]) / scale
    return loss


def _together(net: ViewNet, seen: Tensor, wanted: Sequence[Tensor], scales: Sequence[Tensor]) -> Tensor:
    errors = [
        nn.functional.mse_loss(is_, should) / scale
        for is_, should, scale in zip(net(seen), wanted, scales, strict=True)
    ]
    return torch.stack(errors[:-1]).sum() + LOGITS * errors[-1]


def calibrated(student: Student, held_out: Samples, photos: NDArray[np.uint8]) -> tuple[Calibration, dict[str, Any]]:
    """The calibration on people that were not trained on, and what the student is worth there.

    `photos`: views of photos of these people as they are; `photos_bpcer`: the share of them below the threshold.
    `reliability`: for ten bins of the probability, how many samples, their mean probability, and the share of live ones
    (the reliability curve of DeGroot and Fienberg, The Statistician 32, 1983).
    """
    logits, live = predict(student, held_out.views), ~held_out.attack
    calibration = calibrate(logits, live)
    shares = calibration.probabilities(logits)
    teacher = np.mean([_teacher_logits(held_out.views, place) for place in range(len(SHAPES))], axis=0)
    bins = np.minimum((10 * shares).astype(int), 9)
    figures: dict[str, Any] = {
        "photos": len(photos),
        "photos_bpcer": float((predict(student, photos) < LINE).mean()),
        "agreement_with_teacher": float(((logits > 0) == (teacher > 0)).mean()),
        "correlation_with_teacher": float(np.corrcoef(np.tanh(logits / 4), np.tanh(teacher / 4))[0, 1]),
        "error_against_teacher": float(np.sqrt(np.mean((logits - teacher) ** 2))),
        "rendered_apcer": float((shares[~live] >= calibration.threshold).mean()),
        "rendered_bpcer": float((shares[live] < calibration.threshold).mean()),
        "reliability": [
            [int(of.sum()), float(shares[of].mean()), float(live[of].mean())]
            for of in (bins == number for number in range(10))
            if of.any()
        ],
    }
    return calibration, figures


def _teacher_logits(views: NDArray[np.uint8], place: int) -> NDArray[np.float32]:
    teacher = Teacher.load(default_data_dir(), place)
    return live_logit(teacher.answers(views[:, place])[-1])


def calibrate(logits: NDArray[np.float64], live: NDArray[np.bool_]) -> Calibration:
    """Fit slope and offset on mean logits (N,) of people that were not trained on."""

    def loss(parameters: NDArray[np.float64]) -> float:
        z = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - live * z))

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return Calibration(float(slope), float(offset), float(expit(slope * LINE + offset)))


def predict(student: Student, views: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean logit of both views, (N,), of uint8 (N, 2, 80, 80, 3) BGR."""
    with torch.no_grad():
        parts = [student(part) for part in torch.from_numpy(views).split(BATCH)]
    return np.asarray(torch.cat(parts).mean(dim=1).numpy(), np.float64)


def write(student: Student, calibration: Calibration, *, network: Path, about: dict[str, object]) -> None:
    """The network, and beside it a JSON with its calibration and how it was made."""
    network.parent.mkdir(parents=True, exist_ok=True)
    network.write_bytes(to_onnx(student))
    content = {**asdict(calibration), **about}
    network.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
