import models  # noqa: F401  (before NumPy, which it tells to stay on one thread)
