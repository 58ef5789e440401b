"""The side with the weights: what runs together, and what comes of it."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from tiny_pack import squares, write_pack

from models.engine import Engine
from models.errors import ModelError
from models.prepare import prepare
from models.remote.network import Task
from models.remote.serving import SHAPES, Served, ServingOptions, read_options

ROOT = Path(__file__).parents[3]


def pictures_of(seed: int, count: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def alone(served: Served, task: Task, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    return list(served.networks[task].run(pictures))


@pytest.mark.parametrize("task", ["detection", "embedding", "attack_detection"])
def test_requests_of_one_shape_take_one_run_and_each_gets_its_own(engine: Engine, task: Task) -> None:
    served = Served.of(engine)
    requests = [pictures_of(seed, count, SHAPES[task]) for seed, count in ((1, 1), (2, 2), (3, 1))]
    answers = served.answer(task, requests)
    assert (served.requests[task], served.runs[task]) == (3, 1)
    for request, (digest, outputs) in zip(requests, answers, strict=True):
        assert digest == served.identity.digest
        for found, expected in zip(outputs, alone(served, task, request), strict=True):
            assert found.shape == expected.shape
            assert np.allclose(found, expected, atol=1e-4)


def test_canvases_of_other_sizes_run_apart_and_come_in_order(engine: Engine) -> None:
    served = Served.of(engine)
    requests = [pictures_of(seed, 1, (side, 160, 3)) for seed, side in enumerate((160, 320, 160, 192))]
    answers = served.answer("detection", requests)
    assert (served.requests["detection"], served.runs["detection"]) == (4, 3)
    for request, (_, outputs) in zip(requests, answers, strict=True):
        pairs = zip(outputs, alone(served, "detection", request), strict=True)
        assert all(np.allclose(found, expected, atol=1e-4) for found, expected in pairs)


def test_a_network_that_takes_one_picture_at_a_time_is_given_one(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", files={"squares": squares(batched=False)})
    pack = f"{folder}/"
    prepare(tmp_path / "data", pack)
    served = Served.open(ServingOptions(pack=pack, data_dir=str(tmp_path / "data")))
    assert served.identity.pack == "tiny"
    assert served.together == {"detection": False, "embedding": True, "attack_detection": True}
    requests = [pictures_of(seed, 1, (320, 320, 3)) for seed in range(3)]
    answers = served.answer("detection", requests)
    assert served.runs["detection"] == 3
    for request, (_, outputs) in zip(requests, answers, strict=True):
        pairs = zip(outputs, alone(served, "detection", request), strict=True)
        assert all(np.array_equal(found, expected) for found, expected in pairs)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"batches": 3}, "batches"),
        ({"batch": "many"}, "batch"),
        ({"threads": 0}, "threads"),
        ({"batch_wait_seconds": -1.0}, "batch_wait_seconds"),
    ],
)
def test_arguments_that_cannot_be_meant_are_named(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ModelError, match=named) as caught:
        read_options(arguments)
    assert caught.value.code == "manifest_invalid"


def test_the_configuration_that_comes_along_can_be_read() -> None:
    (application,) = yaml.safe_load((ROOT / "deploy" / "ray" / "serve.yaml").read_text("utf-8"))["applications"]
    options = read_options(application["args"])
    (deployment,) = application["deployments"]
    assert options.pack == "open"
    assert deployment["max_ongoing_requests"] >= 3 * options.batch
