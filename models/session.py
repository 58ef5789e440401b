"""The only door to ONNX Runtime."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

os.environ.setdefault(
    "ORT_DISABLE_TELEMETRY", "1"
)  # read when the runtime is loaded: nothing about a machine leaves it

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.errors import ModelError

PREFERENCE = ("tensorrt", "cuda", "openvino", "cpu")
"""Order in which `auto` tries execution providers."""

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_PACKAGES = {
    "cpu": "onnxruntime",
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu and TensorRT",
    "openvino": "onnxruntime-openvino",
}
_WARNING = 3
"""Log severity from which the runtime speaks: errors."""


@dataclass(frozen=True, slots=True)
class Network:
    """A loaded network. Thread safe; the runtime releases the GIL while it runs."""

    _session: onnxruntime.InferenceSession
    provider: str
    """The provider in use: `cpu`, `cuda`, `tensorrt` or `openvino`."""
    outputs: tuple[str, ...]
    """Names of the outputs, in order; the runtime makes them anew whenever it is asked, or runs without them."""

    @classmethod
    def of(cls, session: onnxruntime.InferenceSession, *, provider: str) -> Self:
        """A network of a session that the runtime has opened."""
        return cls(session, provider, tuple(output.name for output in session.get_outputs()))

    def run(self, pictures: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """Outputs in the graph's order for pictures, uint8 (N, H, W, 3) BGR."""
        outputs: Sequence[NDArray[np.float32]] = self._session.run(self.outputs, {"pictures": pictures})
        return outputs

    @property
    def runtime(self) -> Mapping[str, str]:
        """What runs it (`runtime_info`)."""
        return runtime_info()

    def check(self) -> None:
        """It is loaded: it can run."""


@dataclass(frozen=True, slots=True)
class PlainNetwork:
    """A network as its maker feeds it, on the CPU: what a compiled one is compared with."""

    _session: onnxruntime.InferenceSession

    def run(self, planes: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        """Outputs in the graph's order for float32 (1, 3, H, W)."""
        found: Sequence[NDArray[np.float32]] = self._session.run(None, {self._session.get_inputs()[0].name: planes})
        return found


def load_plain(content: bytes, *, threads: int) -> PlainNetwork:
    """Load a model of one input, (1, 3, H, W) (`models.compile.dequantise`). Raises whatever the runtime raises."""
    return PlainNetwork(onnxruntime.InferenceSession(content, _options(threads), providers=[_PROVIDERS["cpu"]]))


def available_providers() -> tuple[str, ...]:
    """Providers that the installed runtime has, best first."""
    present = set(onnxruntime.get_available_providers())
    return tuple(name for name in PREFERENCE if _PROVIDERS[name] in present)


def choose_provider(wanted: str) -> str:
    """The provider to use: `wanted`, or for `auto` the best that is there.

    Raises:
        ModelError: `provider_missing` if the wanted one is unknown or not installed; names what to install.
    """
    available = available_providers()
    if wanted == "auto":
        return available[0]
    if wanted not in _PROVIDERS:
        raise ModelError("provider_missing", f"no provider is named {wanted!r}; choose auto, {', '.join(PREFERENCE)}")
    if wanted not in available:
        raise ModelError(
            "provider_missing",
            f"the provider {wanted!r} is not in the installed ONNX Runtime: install {_PACKAGES[wanted]} in place of "
            f"onnxruntime, or set HEYAN_PROVIDER to auto or {' or '.join(available)}",
        )
    return wanted


def load_network(content: bytes, *, provider: str, threads: int, warm_up: Sequence[int]) -> Network:
    """Load a compiled model and run it once on an empty picture of shape `warm_up` (N, H, W, 3).

    Raises:
        ModelError: `provider_missing`; `model_invalid` if the runtime refuses the model.
    """
    chosen = choose_provider(provider)
    names = [_PROVIDERS[chosen], *([_PROVIDERS["cpu"]] if chosen != "cpu" else [])]
    try:
        session = onnxruntime.InferenceSession(content, _options(threads), providers=names)
        network = Network.of(session, provider=chosen)
        network.run(np.zeros(tuple(warm_up), np.uint8))
    except Exception as error:  # the runtime raises many unrelated types
        raise ModelError("model_invalid", f"ONNX Runtime refuses the model on {chosen}: {error}") from error
    return network


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _WARNING
    return options


def runtime_info() -> Mapping[str, str]:
    """Version of the runtime and the providers that it has."""
    return {"onnxruntime": onnxruntime.__version__, "providers": ", ".join(available_providers())}
