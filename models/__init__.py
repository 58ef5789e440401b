"""Pixels in, numbers out. ONNX Runtime lives in `models.session` and nowhere else."""

import os

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # read when NumPy is loaded: its products here are small, and the cores belong to the sessions
