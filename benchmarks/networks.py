"""The networks of a pack as they run here, beside the same weights as they come, and beside OpenVINO. One thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Timed, Work, interleaved, median_ratio
from models.agreement import planes_of, sides_of
from models.alignment import align
from models.compile import dequantise
from models.engine import Engine
from models.image import Frame
from models.prepare import PreparedModel, inventory
from models.session import Network, load_network, load_plain

COMPILED, WIDE, PLAIN, OPENVINO = "compiled", "compiled, all weights in 32 bits", "as it comes", "OpenVINO"
"""Ways of running: ours, as the CPU runs it here; without its 8-bit weights, if it has some; the source's graph with
its weights as fp32, in the same runtime; the same in OpenVINO."""

Outputs = Sequence[NDArray[np.float32]]
Picture = NDArray[np.uint8]
Way = Callable[[], Outputs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """One network, run all ways in turns on one picture of `size` (height, width)."""

    name: str
    size: tuple[int, int]
    timed: Mapping[str, Timed]
    apart: Mapping[str, float]
    """By way: the largest difference of any output from ours, over the root mean square of all of them."""

    def ratio(self, other: str) -> float:
        """Our time ÷ another way's, median over rounds."""
        return median_ratio(self.timed[COMPILED], self.timed[other])


def openvino_version() -> str | None:
    """Of the installed package; None without one."""
    try:
        import_module("openvino")
    except ImportError:
        return None
    return version("openvino")


def race_networks(
    photo: Frame, *, data_dir: Path, engine: Engine, rounds: int, advance: Callable[[], object]
) -> tuple[Raced, ...]:
    """Run every network of an engine's pack on a photo of one face; `advance` is called after each round of each.

    The embedder is shown the aligned face, a detector the whole: what a PReLU costs depends on the picture.

    Raises:
        FaceError: the photo does not show one face. ModelError: a file of the pack is not there any more.
    """
    face = align(photo, engine.single_face(photo)).pixels
    models = inventory(data_dir, engine.pack)
    pictures = {model.name: face if model.entry.task == "embedding" else photo.pixels for model in models}
    return tuple(_race(model, pictures[model.name], rounds=rounds, advance=advance) for model in models)


def _race(model: PreparedModel, shown: Picture, *, rounds: int, advance: Callable[[], object]) -> Raced:
    plain = dequantise(model.source.read_bytes())
    sides = sides_of(plain, model.entry)
    picture = np.asarray(cv2.resize(shown, sides[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    source, planes = load_plain(plain, threads=1), planes_of(picture, model.entry)
    network = _loaded(model.runs_on("cpu"), picture)
    ways: dict[str, Way] = {COMPILED: lambda: network.run(picture[None])}
    if model.runs_on("cpu") != model.compiled:
        wide = _loaded(model.compiled, picture)
        ways[WIDE] = lambda: wide.run(picture[None])
    ways[PLAIN] = lambda: source.run(planes)
    if openvino_version() is not None:
        ways[OPENVINO] = partial(_infer, _openvino_request(plain), planes, network.outputs)
    ours = ways[COMPILED]()
    apart = {name: _apart(ours, way()) for name, way in ways.items()}
    works: Mapping[str, Work] = ways
    timed = interleaved(works, rounds=rounds, advance=advance)
    return Raced(name=model.name, size=sides, timed=timed, apart=apart)


def _loaded(compiled: Path, picture: Picture) -> Network:
    return load_network(compiled.read_bytes(), provider="cpu", threads=1, warm_up=picture[None].shape)


def _openvino_request(content: bytes) -> object:
    openvino = import_module("openvino")
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    return core.compile_model(core.read_model(content), "CPU", settings).create_infer_request()


def _infer(request: object, planes: NDArray[np.float32], names: Sequence[str]) -> Outputs:
    found = request.infer([planes], share_inputs=True, share_outputs=True)  # type: ignore[attr-defined]
    return [np.asarray(found[name]) for name in names]


def _apart(ours: Outputs, others: Outputs) -> float:
    size = float(np.sqrt(np.mean(np.concatenate([each.ravel() for each in ours]) ** 2)))
    return max(float(np.abs(one - other).max()) for one, other in zip(ours, others, strict=True)) / size
