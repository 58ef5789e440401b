"""What figures were measured on: they mean nothing without it."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version

import psutil

from models.engine import Engine
from models.processor import processor_name

PACKAGES = ("heyan", "numpy", "onnxruntime", "opencv-python-headless", "simplejpeg")


def describe_machine(engine: Engine | None = None, *, packages: Sequence[str] = PACKAGES) -> dict[str, object]:
    """Processor, memory, versions of packages; of an engine also provider and threads."""
    return {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        **({"engine": dict(engine.describe())} if engine is not None else {}),
    }
