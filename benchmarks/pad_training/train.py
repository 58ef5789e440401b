"""Trains the student and writes it with its calibration."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from benchmarks.pad_training.samples import Samples
from benchmarks.pad_training.student import Student, Told, ViewNet, live_logit, scaled, to_onnx
from benchmarks.pad_training.teacher import NETWORKS, Answers, Teacher
from benchmarks.pad_training.teacher import live_logit as teacher_logit
from models.prepare import default_data_dir

EPOCHS = 8
BATCH = 256
RATE = 4e-3
DECAY = 1e-4

TEACHER_SHARE = 0.1
"""Of the whole work: asking the teacher."""

WEIGHTS = (1.0, 1.0, 1.0, 0.5)
"""Of the losses of coarse and fine features, embedding and logits, each in units of the teacher's variance. The
cross-entropy of "live" has weight 1."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling (Platt, 1999): probability of "live" = 1 / (1 + exp(−(slope · logit + offset)))."""

    slope: float
    offset: float


def train(views: NDArray[np.uint8], *, seed: int, advance: Callable[[float], object]) -> Student:
    """Fit both views' networks, each in a process of its own: first the teacher is asked, then the student learns.

    `views`: uint8 (N, 2, 80, 80, 3) BGR. `advance` gets shares of the whole work, which sum up to 1.

    Raises:
        ModelError: `model_missing` if the teacher is not prepared.
    """
    context = get_context("spawn")
    with TemporaryDirectory() as folder, context.Manager() as manager, ProcessPoolExecutor(2, context) as pool:
        steps: Queue[float] = manager.Queue()
        learning = []
        for place in range(len(NETWORKS)):
            stored = Path(folder) / f"{place}.npy"
            np.save(stored, views[:, place])
            learning.append(pool.submit(_learn, stored, place, seed, steps))
        _follow(learning, steps, advance)
        near, far = (_restored(future.result()) for future in learning)
    return Student(near, far)


def _follow(
    learning: Sequence["Future[dict[str, NDArray[np.float32]]]"],
    steps: "Queue[float]",
    advance: Callable[[float], object],
) -> None:
    while wait(learning, timeout=1.0).not_done:
        while not steps.empty():
            advance(steps.get() / len(learning))


def _learn(stored: Path, place: int, seed: int, steps: "Queue[float]") -> dict[str, NDArray[np.float32]]:
    views = np.load(stored)
    asking = TEACHER_SHARE / len(views)
    answers = Teacher.load(default_data_dir(), place).answers(views, lambda done: steps.put(asking * done))
    epoch = (1 - TEACHER_SHARE) / EPOCHS
    net = train_view(views, answers, seed=seed, advance=lambda _: steps.put(epoch))
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def _restored(state: dict[str, NDArray[np.float32]]) -> ViewNet:
    net = ViewNet()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return net.eval()


def train_view(views: NDArray[np.uint8], answers: Answers, *, seed: int, advance: Callable[[float], object]) -> ViewNet:
    """Fit one view's network to the teacher's answers; `advance` gets the mean loss after each epoch.

    `views`: uint8 (N, 80, 80, 3) BGR. Runs on one thread, so that two views train side by side and a seed makes the
    same network on the same machine.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(mode=True)
    net = ViewNet().to(memory_format=torch.channels_last)
    taps = [torch.from_numpy(tap) for tap in (answers.coarse, answers.fine, answers.embedding, answers.logits)]
    scales = [tap[:4096].float().var(dim=0, keepdim=True).mean() for tap in taps]
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * (len(views) // BATCH))
    for _ in range(EPOCHS):
        losses = []
        for batch in torch.randperm(len(views)).split(BATCH)[: len(views) // BATCH]:
            seen = scaled(torch.from_numpy(views[batch.numpy()])).contiguous(memory_format=torch.channels_last)
            loss = _loss(net(seen), [tap[batch].float() for tap in taps], scales)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        advance(float(np.mean(losses)))
    return net.eval()


def _loss(told: Told, wanted: Sequence[Tensor], scales: Sequence[Tensor]) -> Tensor:
    live = torch.sigmoid(live_logit(wanted[3]))
    loss = nn.functional.binary_cross_entropy_with_logits(live_logit(told.logits), live)
    for weight, is_, should, scale in zip(WEIGHTS, told, wanted, scales, strict=True):
        loss = loss + weight * nn.functional.mse_loss(is_, should) / scale
    return loss


def calibrated(student: Student, held_out: Samples) -> tuple[Calibration, dict[str, object]]:
    """The calibration on people that were not trained on, and what the student is worth there.

    `reliability`: for ten bins of the probability, how many samples, their mean probability, and the share of live
    ones (the reliability curve of DeGroot and Fienberg, The Statistician 32, 1983).
    """
    logits, live = predict(student, held_out.views), ~held_out.attack
    calibration = calibrate(logits, live)
    shares = 1 / (1 + np.exp(-(calibration.slope * logits + calibration.offset)))
    teacher = np.mean([_teacher_logits(held_out.views, place) for place in range(len(NETWORKS))], axis=0)
    bins = np.minimum((10 * shares).astype(int), 9)
    figures: dict[str, object] = {
        "agreement_with_teacher": float(((logits > 0) == (teacher > 0)).mean()),
        "correlation_with_teacher": float(np.corrcoef(np.tanh(logits / 4), np.tanh(teacher / 4))[0, 1]),
        "calibration_apcer_at_half": float((shares[~live] >= 0.5).mean()),
        "calibration_bpcer_at_half": float((shares[live] < 0.5).mean()),
        "reliability": [
            [int(of.sum()), float(shares[of].mean()), float(live[of].mean())]
            for of in (bins == number for number in range(10))
            if of.any()
        ],
    }
    return calibration, figures


def _teacher_logits(views: NDArray[np.uint8], place: int) -> NDArray[np.float32]:
    teacher = Teacher.load(default_data_dir(), place)
    return teacher_logit(teacher.answers(views[:, place], lambda _: None).logits)


def calibrate(logits: NDArray[np.float64], live: NDArray[np.bool_]) -> Calibration:
    """Fit slope and offset on mean logits (N,) of people that were not trained on."""

    def loss(parameters: NDArray[np.float64]) -> float:
        z = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - live * z))

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return Calibration(float(slope), float(offset))


def predict(student: Student, views: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean logit of both views, (N,), of uint8 (N, 2, 80, 80, 3) BGR."""
    with torch.no_grad():
        parts = [student(part) for part in torch.from_numpy(views).split(BATCH)]
    return np.asarray(torch.cat(parts).mean(dim=1).numpy(), np.float64)


def write(student: Student, calibration: Calibration, *, network: Path, about: dict[str, object]) -> None:
    """The network, and beside it a JSON with its calibration and how it was made."""
    network.parent.mkdir(parents=True, exist_ok=True)
    network.write_bytes(to_onnx(student))
    content = {"slope": calibration.slope, "offset": calibration.offset, **about}
    network.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
