"""The Dockerfile without an engine: every instruction is judged, and those that need no network are run, in order.

Run for real, in an empty directory in place of `/`: the virtual environment, the build context as .dockerignore leaves
it, the wheel and its installation, the weights; then the container's command, health check and stop signal, with its
user and environment, on a file system that is read-only but for /data and a temporary directory. Taken from the
environment of the tests instead of being fetched: dependencies and hatchling. Not covered: base images, layers,
volumes, and the cuda variant.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from benchmarks.store_servers import free_port
from models.prepare import default_data_dir
from models.session import _PACKAGES, PREFERENCE

ROOT = Path(__file__).parents[2]
UID = 10001
PLACES = ("/opt/heyan", "/build", "/weights", "/data")
CONFINED = (
    "/usr/bin/unshare",
    "--mount",
    "/bin/sh",
    "-ec",
    """
    for place in "$0/data" "$0/tmp"; do mount --bind "$place" "$place"; done
    mount -o remount,ro,bind /
    caps=+dac_read_search  # to read an interpreter that lies in a private home; lets nothing be written
    exec setpriv --reuid 10001 --regid 10001 --clear-groups --inh-caps=$caps --ambient-caps=$caps "$@"
    """,
)
"""Takes the root directory, and a command."""

OUTSIDE = ("pip install", "groupadd")
"""Fetches from the network, or changes the machine."""


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """Of an exec form."""
        found: list[str] = json.loads(self.value)
        return found


def parsed(text: str) -> list[list[Instruction]]:
    """Stages of a Dockerfile; the first holds what stands before any FROM."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    stages: list[list[Instruction]] = [[]]
    for line in filter(str.strip, logical):
        name, value = line.split(" ", 1)
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, value.strip()))
    return stages


STAGES = parsed((ROOT / "Dockerfile").read_text("utf-8"))
GLOBAL, BUILD, FINAL = STAGES
ALL = [instruction for stage in STAGES for instruction in stage]


def only(stage: list[Instruction], name: str) -> Instruction:
    (found,) = [each for each in stage if each.name == name]
    return found


def every(name: str, stage: list[Instruction] = ALL) -> list[Instruction]:
    return [each for each in stage if each.name == name]


def test_the_base_is_chosen_by_arguments_with_a_version() -> None:
    arguments = dict(each.value.split("=", 1) for each in GLOBAL)
    assert [each.value for each in every("FROM")] == ["${BASE} AS build", "${BASE}"]
    assert re.fullmatch(r"3\.\d+", arguments["PYTHON"])
    assert arguments["BASE"] == "python:${PYTHON}-slim"


def test_instructions_are_known_and_nothing_is_fetched_past_pip() -> None:
    known = "ARG FROM RUN COPY ENV WORKDIR LABEL USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD"
    assert {each.name for each in ALL} <= set(known.split())  # so no ADD
    for run in every("RUN"):
        assert not re.search(r"\b(curl|wget|git|sudo|apt-get|chmod 777)\b|https?://", run.value), run.value
    for command in re.findall(r"pip install[^&;]*", " ".join(each.value for each in every("RUN"))):
        wanted = "--require-hashes" if " -r " in command else "--no-index|hatchling"
        assert re.search(wanted, command), command


def test_the_final_stage_has_no_compiler_and_installs_nothing() -> None:
    assert not re.search(r"\b(gcc|g\+\+|build-essential|clang|pip|hatchling|apt)\b", repr(FINAL))
    copies = [each.value for each in every("COPY", FINAL)]
    assert all(copy.startswith("--from=build ") for copy in copies)


def test_it_runs_as_a_numbered_user_who_is_not_root() -> None:
    order = [each.name for each in FINAL]
    assert only(FINAL, "USER").value == f"{UID}:{UID}"
    assert order.index("RUN") < order.index("COPY") < order.index("USER") < order.index("ENTRYPOINT")
    assert f"--uid {UID}" in only(FINAL, "RUN").value
    assert "ENTRYPOINT" not in [each.name for each in BUILD]


def test_entry_point_and_command_are_in_exec_form_and_health_is_asked() -> None:
    assert only(FINAL, "ENTRYPOINT").words == ["heyan"]
    assert only(FINAL, "CMD").words == ["serve"]
    check = only(FINAL, "HEALTHCHECK").value
    assert {option.split("=")[0] for option in re.findall(r"--[a-z-]+=", check)} == {
        "--interval",
        "--timeout",
        "--start-period",
        "--retries",
    }
    assert only(FINAL, "STOPSIGNAL").value == "SIGTERM"
    assert only(FINAL, "VOLUME").value == "/data"


def test_who_is_told_to_run_it_is_told_to_say_where_links_lead() -> None:
    """It listens on every address of a container, from which no link can be made."""
    assert "HEYAN_HOST=0.0.0.0" in only(FINAL, "ENV").value
    told = [(ROOT / "Dockerfile").read_text("utf-8"), *(file.read_text("utf-8") for file in ROOT.glob("docs/*.md"))]
    runs = re.findall(r"docker run (?:.*\\\n)*.*", "\n".join(told))
    assert runs
    assert all("-e HEYAN_PUBLIC_URL=http" in run for run in runs)


def test_no_secret_is_baked_in() -> None:
    assert not re.search(r"(?i)password|secret|token|_key=", repr([*every("ENV"), *every("ARG")]))


def test_what_is_copied_exists_and_reaches_the_context() -> None:
    context = in_context()
    for copy in every("COPY", BUILD):
        for source in copy.value.split()[:-1]:
            assert source == "." or source in context, source


def test_the_cuda_variant_replaces_the_runtime_by_the_package_that_has_the_provider() -> None:
    locked = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = {
        Requirement(line.rstrip(" \\")).name
        for line in (ROOT / "deploy" / "requirements-cuda.txt").read_text("utf-8").splitlines()
        if re.match(r"[a-z]", line)
    }
    assert "cuda" in PREFERENCE
    assert {_PACKAGES["cuda"], "nvidia-cudnn-cu13", "nvidia-cublas"} <= pinned
    assert f"\n{_PACKAGES['cpu']}==" in locked
    (run,) = [each.value for each in every("RUN", BUILD) if "$VARIANT" in each.value]
    assert f"pip uninstall --yes {_PACKAGES['cpu']}" in run


def in_context() -> list[str]:
    """What .dockerignore lets into the build."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert lines[0] == "*"
    return [line[1:] for line in lines if line.startswith("!")]


@dataclass(frozen=True)
class Image:
    """The directory that stands for `/` of the container."""

    root: Path

    def placed(self, text: str) -> str:
        """With the container's paths turned into ours."""
        return re.sub(rf"(?<![\w/.])({'|'.join(PLACES)})\b", lambda found: f"{self.root}{found[1]}", text)

    def run(self, command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """One RUN, with the shell and the working directory of the container."""
        path = f"{self.root}/bin:/usr/bin:/bin"
        return subprocess.run(
            ["/bin/sh", "-c", self.placed(command)],
            check=False,
            cwd=self.root / "build",
            env={"PATH": path, "HOME": str(self.root), "HEYAN_DATA_DIR": f"{self.root}/weights", **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the final stage sets; HOME is not set."""
        pairs = re.findall(r"(\w+)=(\S+)", " ".join(each.value for each in every("ENV", FINAL)))
        named = {name: self.placed(value).replace("$PATH", "/usr/bin:/bin") for name, value in pairs}
        return {**named, "HEYAN_HOST": "127.0.0.1", "TMPDIR": str(self.root / "tmp")}

    def start(self, words: list[str], **settings: str) -> "subprocess.Popen[str]":
        """A process of the container: its user, its environment, `/` as directory and read-only."""
        return subprocess.Popen(
            [*CONFINED, str(self.root), *words],
            cwd="/",
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Outside of pytest's private directories, which the container's user cannot enter."""
    folder = Path(tempfile.mkdtemp(prefix="heyan-image-"))
    folder.chmod(0o755)
    try:
        if not confines(folder):
            pytest.skip("needs Linux, root and the right to mount: no other user, no read-only file system")
        yield built(folder)
    finally:
        shutil.rmtree(folder)


def confines(folder: Path) -> bool:
    """Whether this machine lets us take another user and a read-only file system, and whether that then holds."""
    if os.getuid() != 0 or not Path(CONFINED[0]).exists():
        return False
    for place in ("data", "tmp"):
        (folder / place).mkdir()
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)  # a place where every user may write: only a read-only file system says no
    attempt = "touch $1/open/a 2> /dev/null || echo confined"
    tried = subprocess.run(
        [*CONFINED, str(folder), "/bin/sh", "-c", attempt, "sh", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    return tried.stdout == "confined\n"


def built(folder: Path) -> Image:
    image = Image(folder)
    for place in ("bin", "build", "weights", "opt"):
        (folder / place).mkdir()
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    shutil.copytree(default_data_dir() / "models", folder / "weights" / "models")
    for each in BUILD:
        if each.name == "COPY":
            copied(each.value, folder / "build")
        elif each.name == "RUN":
            command = each.value
            if "hatchling build" not in command and "$VARIANT" not in command and any(p in command for p in OUTSIDE):
                continue
            ran = image.run(command, VARIANT="cpu", WEIGHTS="prepared")
            assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
            if "-m venv" in command:
                lend_dependencies(folder)
    for copy in every("COPY", FINAL):
        source, target = (Path(image.placed(path)) for path in copy.value.split()[-2:])
        if source != target:
            shutil.copytree(source, target)
    (folder / "data").chmod(0o700)  # as `install -d` makes it in the final stage
    for path in (folder / "tmp", folder / "data", *(folder / "data").rglob("*")):
        os.chown(path, UID, UID)
    return image


def copied(value: str, target: Path) -> None:
    *sources, _ = value.split()
    for source in in_context() if sources == ["."] else sources:
        found = ROOT / source
        if found.is_dir():
            shutil.copytree(
                found, target / source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        else:
            place = target / (source if sources == ["."] else found.name)
            place.parent.mkdir(exist_ok=True)
            shutil.copy(found, place)


def lend_dependencies(folder: Path) -> None:
    """Dependencies of the running environment, without the project that is installed there: `.pth` do not nest."""
    (site,) = (folder / "opt" / "heyan" / "lib").glob("python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")


def test_wrong_arguments_stop_the_build(image: Image) -> None:
    for name, command in [(name, each.value) for each in every("RUN", BUILD) for name in ("VARIANT", "WEIGHTS")]:
        if f"${name}" in command:
            refused = image.run(command, **{name: "perhaps"})
            assert (refused.returncode, "not perhaps" in refused.stderr) == (1, True)


def test_the_code_comes_from_the_wheel(image: Image) -> None:
    asked = image.start(
        [f"{image.root}/opt/heyan/bin/python", "-c", "import api, models; print(api.__file__, models.__file__)"]
    )
    told, _ = asked.communicate(timeout=60)
    assert all(place.startswith(f"{image.root}/opt/heyan/lib/") for place in told.split()), told


def test_the_doctor_finds_nothing(image: Image) -> None:
    asked = image.start([f"{image.root}/opt/heyan/bin/heyan", "doctor"])
    told, _ = asked.communicate(timeout=60)
    assert asked.returncode == 0, told
    assert "telemetry" not in told  # the runtime would write to the home and call its maker


def test_it_serves_is_healthy_writes_to_data_alone_and_stops_on_its_signal(image: Image) -> None:
    entry = only(FINAL, "ENTRYPOINT").words
    settings = {"HEYAN_PORT": str(free_port())}
    check = json.loads(only(FINAL, "HEALTHCHECK").value.split("CMD ", 1)[1])
    asked = [f"{image.root}/opt/heyan/bin/{check[0]}", *check[1:]]
    service = image.start([f"{image.root}/opt/heyan/bin/{entry[0]}", *only(FINAL, "CMD").words], **settings)
    try:
        url = announced(service)
        healthy = image.start(asked, **settings)
        told, _ = healthy.communicate(timeout=20)
        assert healthy.returncode == 0, told
        elsewhere = image.start(asked, HEYAN_PORT=str(free_port()))
        elsewhere.communicate(timeout=20)
        assert elsewhere.returncode != 0
        assert httpx.get(f"{url}/readyz").json()["ready"]
        service.send_signal(getattr(signal, only(FINAL, "STOPSIGNAL").value))
        assert service.wait(timeout=20) == 0
    finally:
        service.terminate()
        service.communicate(timeout=20)
    assert {path.name for path in (image.root / "data").iterdir()} == {"keys", "models", "store"}
    assert list((image.root / "tmp").iterdir()) == []


def announced(service: "subprocess.Popen[str]") -> str:
    """The address that it prints once it answers. Without end only if it neither starts nor stops."""
    lines: list[str] = []
    for line in service.stdout:
        lines.append(line)
        if line.startswith("heyan listens on "):
            return line.removeprefix("heyan listens on ").strip()
    raise AssertionError("".join(lines) or "it said nothing")
