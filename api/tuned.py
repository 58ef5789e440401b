"""What `heyan tune` found, kept in the data directory: it stands in for settings that nobody has given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from api.processors import usable_processors
from models.fetch import write_atomically

FILE = "tuned.json"


@dataclass(frozen=True, slots=True)
class Tuned:
    """Measured for one machine; on another it does not count."""

    workers: int
    threads: int
    cores: int
    provider: str
    pack: str

    @property
    def fits(self) -> bool:
        """Whether it was measured with as many cores as this process may use now."""
        return self.cores == usable_processors() and self.workers >= 1 and self.threads >= 1


def write_tuned(data_dir: Path, tuned: Tuned) -> Path:
    """Keep it; gives the file. Raises OSError."""
    path = data_dir / FILE
    write_atomically(path, msgspec.json.format(msgspec.json.encode(tuned)) + b"\n")
    return path


def tuned_settings(data_dir: Path, *, provider: str, pack: str) -> dict[str, Any]:
    """`workers` and `threads` as measured for this machine, provider and pack; nothing if they were not.

    Raises:
        ValueError: the file is there and cannot be read.
    """
    tuned = read_tuned(data_dir)
    if tuned is None or not tuned.fits or (tuned.provider, tuned.pack) != (provider, pack):
        return {}
    return {"workers": tuned.workers, "threads": tuned.threads}


def read_tuned(data_dir: Path) -> Tuned | None:
    """What was kept, also if it does not count here; None if nothing was. Raises ValueError as `tuned_settings`."""
    path = data_dir / FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Tuned)
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueError(f"{path} cannot be read ({error}): run `heyan tune` again, or remove it") from None
