"""Terms of weights that somebody must accept before an installation uses them: who did, and when, is kept beside them.

<data>/models/licences/<key>.json    the key hashes the terms and the weights that they are for
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from models.errors import ModelError
from models.fetch import write_atomically
from models.packs import FoundPack


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """That somebody accepted the terms of a pack."""

    pack: str
    terms: str
    accepted_by: str
    accepted_at: datetime


def acceptance(data_dir: Path, found: FoundPack) -> Acceptance | None:
    """Who has accepted the terms of a pack, for these weights and in these words; None if nobody has."""
    try:
        kept = msgspec.json.decode(_record(data_dir, found).read_bytes(), type=Acceptance, strict=True)
    except (OSError, msgspec.DecodeError):
        return None
    return kept if kept.terms == found.pack.terms else None


def accept(data_dir: Path, found: FoundPack, *, by: str, now: datetime) -> Acceptance:
    """Record that somebody accepts the terms of a pack. `now` has a time zone.

    Raises:
        ModelError: `licence_not_accepted` if nobody is named; ValueError: the pack asks for nothing.
    """
    if found.pack.terms is None:
        raise ValueError(f"the pack {found.name} has no terms to accept")
    if not by.strip():
        raise ModelError("licence_not_accepted", "say who accepts the terms: --as NAME")
    accepted = Acceptance(pack=found.name, terms=found.pack.terms, accepted_by=by.strip(), accepted_at=now)
    write_atomically(_record(data_dir, found), msgspec.json.format(msgspec.json.encode(accepted)) + b"\n")
    return accepted


def require_accepted(data_dir: Path, found: FoundPack) -> None:
    """Raises ModelError `licence_not_accepted` if the pack has terms that nobody has accepted."""
    if found.pack.terms is not None and acceptance(data_dir, found) is None:
        message = (
            f"the pack {found.name} has terms that nobody has accepted for {data_dir} ({found.pack.licence}); read and "
            f"accept them with: heyan models accept-licence {found.name}"
        )
        raise ModelError("licence_not_accepted", message)


def _record(data_dir: Path, found: FoundPack) -> Path:
    """By what is accepted, not by the pack's name: a directory may move."""
    weights = " ".join(sorted(entry.sha256 for entry in found.models.values()))
    key = sha256(f"{found.pack.terms} {weights}".encode()).hexdigest()[:16]
    return data_dir / "models" / "licences" / f"{key}.json"
