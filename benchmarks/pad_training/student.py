"""The student: a network for each view, in PyTorch while it learns, as one ONNX graph when it has.

It has the teacher's own shapes between its parts, so that each part can learn from the teacher's features before it and
after it (Romero et al., FitNets, 2015), and not only from the verdict at the end. Inside them it has ReLU where the
teacher has PReLU, whose slopes are near nothing (half of them within 0.017 of zero): the runtime fuses ReLU into the
convolution before it, which halves the time. Each view has its own weights: what betrays a print near by is not what
betrays it from afar.
"""

import io
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.pad_training.teacher import LIVE
from models.pad_crops import SIDE

OPSET = 17


@dataclass(frozen=True, slots=True)
class Shape:
    """Inner channels of one view's blocks: the teacher's, rounded up to the 8 that the runtime computes at once."""

    first: int
    """Of the block that ends at 64 x 20 x 20."""
    upper: tuple[int, ...]
    coarse: int
    """Of the block that ends at 128 x 10 x 10."""
    middle: tuple[int, ...]
    fine: int
    """Of the block that ends at 128 x 5 x 5."""
    lower: tuple[int, ...]
    squeezed: bool
    """Whether the last block of each run with shortcuts weighs its channels (`Squeeze`)."""


NEAR = Shape(104, (16, 16, 16, 16), 232, (232, 56, 32, 80, 32, 32), 312, (32, 32), squeezed=False)
FAR = Shape(104, (32, 32, 16, 56), 232, (160, 56, 32, 56, 32, 32), 312, (32, 32), squeezed=True)

SHAPES = (NEAR, FAR)


class Convolution(nn.Sequential):
    """Convolution, norm and, if `active`, ReLU."""

    def __init__(
        self, before: int, after: int, size: int, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        layers = [nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(after)]
        super().__init__(*layers, *([nn.ReLU()] if active else []))

    def fold(self) -> None:
        """Fold the norm into the convolution."""
        self[0], self[1] = fuse_conv_bn_eval(self[0].eval(), self[1].eval()), nn.Identity()


class Squeeze(nn.Module):
    """Weighs each channel by what all channels show in the mean (Hu et al., Squeeze-and-Excitation Networks, 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 4, 1),
            nn.ReLU(),
            nn.Conv2d(channels // 4, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        weights: Tensor = self.weigh(x)
        return x * weights


class Block(nn.Module):
    """Pointwise to `inner` channels, depthwise 3 x 3, pointwise back; with a shortcut where shapes allow."""

    def __init__(self, before: int, inner: int, after: int, *, stride: int = 1, squeezed: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Convolution(before, inner, 1),
            Convolution(inner, inner, 3, stride=stride, groups=inner),
            Convolution(inner, after, 1, active=False),
            *([Squeeze(after)] if squeezed else []),
        )
        self.shortcut = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H', W')."""
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


class ViewNet(nn.Module):
    """One view, (N, 3, 80, 80) in −1 to 1. Its parts end where the teacher is tapped (`teacher.TAPS`)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        start = nn.Sequential(Convolution(3, 32, 3, stride=2), Convolution(32, 32, 3, groups=32))
        embedding = nn.Sequential(
            Convolution(128, 512, 1), nn.Conv2d(512, 512, 5, groups=512), nn.Flatten(), nn.Linear(512, 128)
        )
        self.parts = nn.ModuleList(
            [
                start,
                Block(32, shape.first, 64, stride=2),
                *_run(64, shape.upper, squeezed=shape.squeezed),
                Block(64, shape.coarse, 128, stride=2),
                *_run(128, shape.middle, squeezed=shape.squeezed),
                Block(128, shape.fine, 128, stride=2),
                *_run(128, shape.lower, squeezed=shape.squeezed),
                embedding,
                nn.Linear(128, 3),
            ]
        )

    def fold(self) -> None:
        """Fold the norms into their convolutions, for good."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.fold()

    def forward(self, x: Tensor) -> list[Tensor]:
        """What each part gives, in the teacher's shapes; the last are the three logits."""
        told = []
        for part in self.parts:
            x = part(x)
            told.append(x)
        return told


def _run(channels: int, inner: tuple[int, ...], *, squeezed: bool) -> list[Block]:
    return [
        Block(channels, each, channels, squeezed=squeezed and place == len(inner) - 1)
        for place, each in enumerate(inner)
    ]


class Student(nn.Module):
    """Both views, uint8 (N, 2, 80, 80, 3) BGR, to the log odds of "live" of each, (N, 2)."""

    def __init__(self, near: ViewNet, far: ViewNet) -> None:
        super().__init__()
        self.near, self.far = near, far

    def forward(self, pictures: Tensor) -> Tensor:
        """The log odds of near and far."""
        near, far = scaled(pictures[:, 0]), scaled(pictures[:, 1])
        return torch.stack([live_logit(self.near(near)[-1]), live_logit(self.far(far)[-1])], dim=1)


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
