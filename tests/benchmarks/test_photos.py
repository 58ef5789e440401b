from pathlib import Path

import pytest

from benchmarks.photos import PORTRAITS, PhotosError, load_portraits, people_in, people_of


def test_two_people_have_two_photos(portraits: dict[str, bytes]) -> None:
    assert sorted(len(person.photos) for person in people_of(portraits)) == [1, 1, 2, 2]


def test_portraits_are_read_from_the_cache_as_they_were_fetched(portraits: dict[str, bytes], data_dir: Path) -> None:
    assert load_portraits(data_dir) == portraits
    assert set(portraits) == set(PORTRAITS)


def test_a_folder_groups_by_name(tmp_path: Path) -> None:
    for name in ("Ann.jpg", "Ann_2.png", "Bob.webp", "Cid_1.jpeg", "Cid_2.jpeg", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    people = {person.name: len(person.photos) for person in people_in(tmp_path)}
    assert people == {"Ann": 2, "Bob": 1, "Cid": 2}


def test_a_folder_with_pairs_groups_by_them(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "abcde":
        (tmp_path / "images" / f"{name}.jpg").write_bytes(name.encode())
    (tmp_path / "pairs.csv").write_text("image_a,image_b,same\na.jpg,b.jpg,1\nb.jpg,c.jpg,1\nd.jpg,e.jpg,0\n")
    assert sorted(len(person.photos) for person in people_in(tmp_path)) == [1, 1, 3]


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Ann.jpg").write_bytes(b"")
    with pytest.raises(PhotosError, match="shows 1 people"):
        people_in(tmp_path)
