import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from models import session
from models.errors import ModelError
from models.session import available_providers, choose_provider, load_network, runtime_info


def test_auto_takes_the_best_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_provider("auto") == available_providers()[0]
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    assert choose_provider("auto") == "cuda"


@pytest.mark.parametrize(
    ("provider", "package"),
    [("cuda", "onnxruntime-gpu"), ("tensorrt", "onnxruntime-gpu"), ("openvino", "onnxruntime-openvino")],
)
def test_one_that_is_missing_names_the_package(monkeypatch: pytest.MonkeyPatch, provider: str, package: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=package) as caught:
        choose_provider(provider)
    assert caught.value.code == "provider_missing"


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        choose_provider("abacus")
    assert caught.value.code == "provider_missing"


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        load_network(content, provider="cpu", threads=1, warm_up=(1, 112, 112, 3))
    assert caught.value.code == "model_invalid"


def test_the_runtime_says_what_it_is() -> None:
    assert runtime_info()["onnxruntime"] == onnxruntime.__version__
    assert session.PREFERENCE[-1] == "cpu"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_products_of_matrices_take_no_core_from_the_sessions() -> None:
    program = "import api.cli, os; import numpy as np; np.ones((900, 900)) @ np.ones((900, 900)); " + (
        "print(len(os.listdir('/proc/self/task')))"
    )
    counted = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert counted.stdout.strip() == "1"
