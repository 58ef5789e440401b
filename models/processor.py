"""What this machine computes with: figures of another one mean nothing here."""

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's name; on Linux from the kernel, elsewhere what Python knows."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text("utf-8").splitlines() if known.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
