"""The student: a small network for each view, in PyTorch while it learns, as one ONNX graph when it has.

Inverted and narrowing residual blocks (Sandler et al., MobileNetV2, 2018) with ReLU, which ONNX Runtime fuses, and the
teacher's own shapes at three depths, so that it can learn from the teacher's features and not only from its verdict
(Romero et al., FitNets, 2015). Each view has its own weights: what betrays a print near by is not what betrays it from
afar.
"""

import io
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from benchmarks.pad_training.teacher import LIVE
from models.pad_crops import SIDE

OPSET = 17


class Told(NamedTuple):
    """What a view network says, in the teacher's shapes (`teacher.TAPS`)."""

    coarse: Tensor
    fine: Tensor
    embedding: Tensor
    logits: Tensor


class Convolution(nn.Sequential):
    """Convolution, norm and, if `active`, ReLU."""

    def __init__(
        self, before: int, after: int, size: int, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        padding = size // 2 if size < 5 else 0
        layers = [nn.Conv2d(before, after, size, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(after)]
        super().__init__(*layers, *([nn.ReLU()] if active else []))


class Block(nn.Module):
    """Pointwise to `middle` channels, depthwise 3 x 3, pointwise back; with a shortcut where shapes allow."""

    def __init__(self, before: int, middle: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Convolution(before, middle, 1),
            Convolution(middle, middle, 3, stride=stride, groups=middle),
            Convolution(middle, after, 1, active=False),
        )
        self.shortcut = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H', W')."""
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


class ViewNet(nn.Module):
    """One view, (N, 3, 80, 80) in −1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            Convolution(3, 32, 3, stride=2),
            Block(32, 48, 64, 2),
            *(Block(64, 48, 64) for _ in range(3)),
            Block(64, 160, 128, 2),
        )
        self.second = nn.Sequential(*(Block(128, 64, 128) for _ in range(3)), Block(128, 192, 128, 2))
        self.last = nn.Sequential(
            Block(128, 64, 128),
            Convolution(128, 320, 1),
            Convolution(320, 320, 5, groups=320, active=False),
            nn.Flatten(),
            nn.Linear(320, 128),
        )
        self.head = nn.Linear(128, 3)

    def forward(self, x: Tensor) -> Told:
        """Features, embedding and logits."""
        coarse = self.first(x)
        fine = self.second(coarse)
        embedding = self.last(fine)
        return Told(coarse, fine, embedding, self.head(embedding))


class Student(nn.Module):
    """Both views, uint8 (N, 2, 80, 80, 3) BGR, to the log odds of "live" of each, (N, 2)."""

    def __init__(self, near: ViewNet, far: ViewNet) -> None:
        super().__init__()
        self.near, self.far = near, far

    def forward(self, pictures: Tensor) -> Tensor:
        """The log odds of near and far."""
        near, far = scaled(pictures[:, 0]), scaled(pictures[:, 1])
        return torch.stack([live_logit(self.near(near).logits), live_logit(self.far(far).logits)], dim=1)


def scaled(pictures: Tensor) -> Tensor:
    """uint8 (N, 80, 80, 3) to float (N, 3, 80, 80) in −1 to 1."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def live_logit(logits: Tensor) -> Tensor:
    """Log odds of "live", (N,), from logits (N, 3)."""
    others = torch.stack([logits[:, place] for place in range(3) if place != LIVE], dim=1)
    return logits[:, LIVE] - torch.logsumexp(others, dim=1)


def to_onnx(student: Student) -> bytes:
    """The student as ONNX: input `pictures` uint8 (N, 2, 80, 80, 3), output `logits` float (N, 2); norms folded in,
    weights stored as half floats, which halves the file and costs nothing once the runtime has folded the casts."""
    buffer = io.BytesIO()
    example = torch.zeros(2, 2, SIDE, SIDE, 3, dtype=torch.uint8)
    axes = {"pictures": {0: "N"}, "logits": {0: "N"}}
    torch.onnx.export(
        student.eval(),
        (example,),
        buffer,
        input_names=["pictures"],
        output_names=["logits"],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    _halve_weights(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _halve_weights(graph: onnx.GraphProto) -> None:
    """Store each float tensor as float16, with a cast before its users."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        name, stored = tensor.name, f"{tensor.name}.half"
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
