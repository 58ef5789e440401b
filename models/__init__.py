"""Pixels in, numbers out. ONNX Runtime lives in `models.session` and nowhere else."""
