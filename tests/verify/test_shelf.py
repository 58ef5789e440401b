import resource
import secrets
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from re import search

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import Gone, Unavailable
from verify.shelf import ShelfFile, derived, without

ROOT = {"": b"r" * 32}
PEOPLE = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=12, unique=True)


@pytest.fixture
def shelf(tmp_path: Path) -> ShelfFile:
    return ShelfFile(tmp_path / "shelf.db")


@given(PEOPLE, st.data())
def test_erasing_some_leaves_the_others_as_they_were(people: list[str], data: st.DataObject) -> None:
    erased = data.draw(st.lists(st.sampled_from(people), unique=True))
    seeds = ROOT
    for person in erased:
        seeds = without(seeds, person)
    for person in people:
        if person in erased:
            with pytest.raises(Gone):
                derived(seeds, person)
        else:
            assert derived(seeds, person) == derived(ROOT, person)


@given(PEOPLE, st.data())
def test_nothing_that_is_left_leads_to_the_erased(people: list[str], data: st.DataObject) -> None:
    """No seed lies on the way to an erased person, nor is one the secret itself."""
    person = data.draw(st.sampled_from(people))
    seeds = without(ROOT, person)
    way = sha256(person.encode()).hexdigest()
    assert not any(way.startswith(place) for place in seeds)
    assert derived(ROOT, person) not in seeds.values()
    assert without(seeds, person) == seeds


def test_everybody_has_a_secret_of_their_own() -> None:
    assert len({derived(ROOT, f"sub_{number}") for number in range(500)}) == 500


def test_what_was_erased_is_nowhere_in_the_file(shelf: ShelfFile, tmp_path: Path) -> None:
    roots = {f"case_{number}": secrets.token_bytes(32) for number in range(50)}
    for case, root in roots.items():
        shelf.add(case, root)
    person = shelf.secret("case_7", "sub_a")
    shelf.erase("case_7", "sub_a")
    shelf.erase("case_8", None)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [case for case, root in roots.items() if root not in content] == ["case_7", "case_8"]
    assert person not in content


def test_a_case_is_erased_as_a_whole_and_stays_so(shelf: ShelfFile) -> None:
    shelf.add("case_a", b"r" * 32)
    shelf.erase("case_a", None)
    shelf.erase("case_a", "sub_a")
    with pytest.raises(Gone) as caught:
        shelf.secret("case_a", "sub_a")
    assert caught.value.code == "content_erased"


def test_a_case_that_was_never_here_is_no_erased_one(shelf: ShelfFile) -> None:
    shelf.erase("case_a", None)
    with pytest.raises(Unavailable) as caught:
        shelf.secret("case_a", "sub_a")
    assert caught.value.code == "key_damaged"


def test_processes_share_a_shelf(shelf: ShelfFile, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: shelf.add(f"case_{number}", b"r" * 32), range(20)))
        shelf.add("case_x", b"x" * 32)
        list(pool.map(lambda number: shelf.erase("case_x", f"sub_{number}"), range(20)))
    again = ShelfFile(tmp_path / "shelf.db")
    assert again.secret("case_19", "sub_a") == derived(ROOT, "sub_a")
    for number in range(20):
        with pytest.raises(Gone):
            again.secret("case_x", f"sub_{number}")
    assert again.secret("case_x", "sub_20")


def test_a_damaged_file_is_named_and_never_replaced(tmp_path: Path) -> None:
    content = b"no database at all, but long enough to be taken for one" * 10
    path = tmp_path / "shelf.db"
    path.write_bytes(content)
    with pytest.raises(Unavailable) as caught:
        ShelfFile(path)
    assert caught.value.code == "key_damaged"
    assert (str(path) in caught.value.for_operators, str(path) in str(caught.value)) == (True, False)
    assert path.read_bytes() == content


def test_only_the_owner_reads_it(shelf: ShelfFile, tmp_path: Path) -> None:
    shelf.add("case_a", b"r" * 32)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_disk_without_room_is_named_as_what_it_is(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(Unavailable) as caught:
            ShelfFile(tmp_path / "shelf.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = r"shelf\.db cannot be used \((disk I/O error|database or disk is full)"
    assert search(said, caught.value.for_operators) is not None
