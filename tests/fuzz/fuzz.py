"""Drives one target with coverage: `python tests/fuzz/fuzz.py TARGET SECONDS` (processor time, on one core).

The corpus grows in `build/fuzz/TARGET`; an input that breaks the target is left in `build/fuzz` as `TARGET-…`. Mend it,
and keep the input in `tests/fuzz/findings`.
"""

import os
import signal
import sys
import time
from pathlib import Path

MEMORY_MB = 2048
"""More at once is a finding: an unbounded allocation."""
SLOW_SECONDS = 10
LONGEST = 8192


def main() -> None:
    """Runs until the time is up or something is found."""
    try:
        import atheris
    except ModuleNotFoundError:
        raise SystemExit("fuzzing needs atheris: .venv/bin/pip install atheris") from None
    name, seconds = sys.argv[1], int(sys.argv[2])
    with atheris.instrument_imports(
        include=["api", "models.image", "models.errors", "verify", "joserfc", "zipfile", "PIL"]
    ):
        from fuzz_targets import TARGETS
    target = TARGETS[name]
    folder = Path("build/fuzz") / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (folder / f"seed-{number}").write_bytes(seed)
    options = {
        "rss_limit_mb": MEMORY_MB,
        "timeout": SLOW_SECONDS,
        "max_len": LONGEST,
        "artifact_prefix": f"build/fuzz/{name}-",
        "print_final_stats": 1,
    }
    stop_after(seconds, name)
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(folder)], target.run)
    atheris.Fuzz()


def stop_after(seconds: int, name: str) -> None:
    """End the process, well, when it has had so much processor time: libFuzzer knows the clock on the wall alone."""

    def stop(*_: object) -> None:
        if (lacking := seconds - time.process_time()) > 0:  # the timer counts ticks, and is a little fast
            signal.setitimer(signal.ITIMER_PROF, lacking)
            return
        print(f"{name}: nothing found in {seconds} seconds of processor time", flush=True)
        os._exit(0)  # libFuzzer has the main thread, and keeps its corpus as it goes

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main()
