"""Terms are accepted by somebody, for these weights, in these words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tiny_pack import squares, write_pack

from models.engine import Engine
from models.errors import ModelError
from models.licences import accept, acceptance, require_accepted
from models.packs import find_pack
from models.prepare import prepare

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def code_of(folder: Path, data: Path) -> str:
    with pytest.raises(ModelError, match="accept-licence") as caught:
        prepare(data, str(folder))
    return caught.value.code


def test_nothing_is_prepared_or_loaded_before_somebody_accepts(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", terms="for research alone")
    assert code_of(folder, tmp_path) == "licence_not_accepted"
    assert not (tmp_path / "models").exists()
    accepted = accept(tmp_path, find_pack(str(folder)), by="Li Hua", now=NOW)
    assert acceptance(tmp_path, find_pack(str(folder))) == accepted
    assert (accepted.accepted_by, accepted.accepted_at) == ("Li Hua", NOW)
    prepare(tmp_path, str(folder))
    record = next((tmp_path / "models" / "licences").iterdir())
    kept = record.read_bytes()
    record.unlink()
    with pytest.raises(ModelError) as caught:
        Engine.open(data_dir=tmp_path, pack=str(folder))
    assert caught.value.code == "licence_not_accepted"
    record.write_bytes(kept)
    assert Engine.open(data_dir=tmp_path, pack=str(folder)).pack == str(folder)


def test_other_terms_and_other_weights_are_accepted_anew(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", terms="for research alone")
    accept(tmp_path, find_pack(str(folder)), by="Li Hua", now=NOW)
    moved = write_pack(tmp_path / "moved", terms="for research alone")
    require_accepted(tmp_path, find_pack(str(moved)))
    write_pack(folder, terms="for nobody")
    assert code_of(folder, tmp_path) == "licence_not_accepted"
    write_pack(folder, terms="for research alone", files={"squares": squares(batched=False)})
    assert code_of(folder, tmp_path) == "licence_not_accepted"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"pack": "x", "terms": "for research alone"}', b"\xff"])
def test_a_damaged_record_is_none(tmp_path: Path, content: bytes) -> None:
    folder = write_pack(tmp_path / "pack", terms="for research alone")
    accept(tmp_path, find_pack(str(folder)), by="Li Hua", now=NOW)
    next((tmp_path / "models" / "licences").iterdir()).write_bytes(content)
    assert code_of(folder, tmp_path) == "licence_not_accepted"


def test_nobody_cannot_accept(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", terms="for research alone")
    with pytest.raises(ModelError, match="--as"):
        accept(tmp_path, find_pack(str(folder)), by=" ", now=NOW)


def test_a_pack_without_terms_asks_for_nothing(tmp_path: Path) -> None:
    found = find_pack(str(write_pack(tmp_path / "pack")))
    require_accepted(tmp_path, found)
    with pytest.raises(ValueError, match="no terms"):
        accept(tmp_path, found, by="Li Hua", now=NOW)
    require_accepted(tmp_path, find_pack("open"))
