from pathlib import Path

import pytest

from api import doctor
from api.errors import OverloadedError


def test_this_python_will_do() -> None:
    assert doctor.check_python().ok


def test_an_old_python_gets_advice() -> None:
    finding = doctor.check_python(version=(3, 10))
    assert not finding.ok
    assert "3.11" in finding.advice


@pytest.mark.parametrize(
    ("names", "ok"),
    [
        ({"opencv-python-headless"}, True),
        (set(), False),
        ({"opencv-python"}, False),
        ({"opencv-python", "opencv-python-headless"}, False),
    ],
)
def test_opencv_must_be_there_once_and_headless(names: set[str], ok: bool) -> None:
    finding = doctor.check_opencv(frozenset(names))
    assert finding.ok is ok
    assert ok or "pip install" in finding.advice


def test_this_environment_has_one_opencv() -> None:
    assert doctor.check_opencv().ok


def test_disk_is_measured_where_the_data_will_be(tmp_path: Path) -> None:
    assert "GiB free" in doctor.check_disk(tmp_path / "not" / "yet").found


def test_a_data_directory_that_others_read_is_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    finding = doctor.check_writable(tmp_path)
    assert (finding.ok, finding.advice) == (False, f"chmod 700 {tmp_path}")
    tmp_path.chmod(0o700)
    assert doctor.check_writable(tmp_path).ok


def test_a_data_directory_that_is_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "HEYAN_DATA_DIR" in doctor.check_writable(tmp_path / "file").advice


def test_a_failing_probe_becomes_advice() -> None:
    def probe() -> str:
        raise OverloadedError

    finding = doctor.guarded("store", probe)
    assert (finding.ok, finding.found) == (False, "overloaded")
    assert "repeat" in finding.advice
