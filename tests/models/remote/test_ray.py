"""Networks on a real Ray Serve: a cluster of this machine that ends with the test. Needs the package ray[serve].

Where it is: `pip install 'heyan[ray]'` beside what the tests need, then `pytest tests/models/remote/test_ray.py`.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from secrets import token_hex
from time import monotonic, sleep
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from api.composition import open_engine
from api.settings import Settings
from benchmarks.phone.casting import living
from benchmarks.phone.offline import Offline
from liveness.challenge import draw_challenge
from models.engine import Engine
from models.errors import ModelError
from models.image import decode_image
from models.remote.ray_client import APPLICATION, DEPLOYMENT, RayFarm, require_ray
from verify.decision import decide
from verify.evidence import Evidence
from verify.live import LiveSession
from verify.policy import load_policy

if find_spec("ray") is None:
    pytest.skip("ray[serve] is not installed: pip install 'heyan[ray]'", allow_module_level=True)

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own: of its dependencies, its sockets, and its deprecated ways
    pytest.mark.timeout(300),
]

ROOT = Path(__file__).parents[3]
SECONDS = 3.0


@dataclass(frozen=True)
class Head:
    """The head of a cluster, and the process that started it and all that belongs to it."""

    address: str
    process: psutil.Process


RECOVERS_SECONDS = 90.0


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What Ray reads when it is imported: a token of this cluster, not one in the user's home."""
    token = tmp_path_factory.mktemp("ray") / "token"
    token.write_text(token_hex(32), "ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        yield


@pytest.fixture(scope="module")
def head(environment: None) -> Iterator[Head]:
    """A cluster of one machine, as an operator starts it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    options = ["--head", "--block", "--node-ip-address=127.0.0.1", f"--port={address.rpartition(':')[2]}"]
    bounds = ["--num-cpus=2", f"--object-store-memory={128 * 1024**2}", f"--temp-dir={folder}"]
    spilling = '--system-config={"automatic_object_spilling_enabled": false}'
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("ray")), "start", *options, *bounds, "--include-dashboard=false", spilling],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        start_new_session=True,
    )
    yield Head(address, psutil.Process(process.pid))
    left = [*psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    process.wait(30)
    for each in psutil.wait_procs(left, timeout=10)[1]:
        each.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(head: Head, engine: Engine, data_dir: Path) -> Iterator[Head]:
    """One replica of the networks of this machine's pack."""
    require_ray()
    import ray
    from ray import serve

    from models.remote.ray_application import build

    ray.init(address=_when_there(head), configure_logging=False, log_to_driver=False)
    serve.start(proxy_location="Disabled")
    serve.run(build({"data_dir": str(data_dir), "batch_wait_seconds": 0.02}), name=APPLICATION, route_prefix=None)
    yield head
    ray.shutdown()


def _when_there(head: Head) -> str:
    """Its address, once somebody listens there."""
    host, port = head.address.split(":")
    until = monotonic() + 60
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert monotonic() < until, "the cluster did not start"
            sleep(0.2)
        else:
            return head.address


@pytest.fixture(scope="module")
def node(cluster: Head, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The engine of a node with an empty data directory."""
    folder = tmp_path_factory.mktemp("node")
    return open_engine(Settings(data_dir=folder, engine="ray", ray_address=cluster.address, ray_seconds=SECONDS))


@pytest.fixture
def farm(cluster: Head) -> RayFarm:
    return RayFarm(cluster.address, application=APPLICATION, seconds=SECONDS)


def session_of(reference: bytes, actor: bytes, *, engine: Engine, performer: Engine) -> Evidence:
    rng = Random(5)
    session = LiveSession(
        engine=engine,
        challenge=draw_challenge(rng),
        reference=engine.reference(decode_image(reference)),
        policy=load_policy(),
        started_at=0.0,
    )
    return Offline(living(actor, engine=performer, rng=rng), session, rng).run()


def replicas(head: Head) -> list[psutil.Process]:
    """Processes of the deployment."""
    name = f"ServeReplica:{APPLICATION}:{DEPLOYMENT}"
    return [each for each in head.process.children(recursive=True) if name in " ".join(each.cmdline())]


def counted(farm: RayFarm) -> tuple[dict[str, int], dict[str, int]]:
    description: Any = farm.describe()
    return description["requests"], description["runs"]


def test_a_session_is_the_one_that_it_is_with_networks_of_its_own(
    node: Engine, engine: Engine, portraits: dict[str, bytes]
) -> None:
    photos = portraits["person_b_1"], portraits["person_b_2"]
    there = session_of(*photos, engine=node, performer=engine)
    here = session_of(*photos, engine=engine, performer=engine)
    assert here.similarity > load_policy().similarity
    assert there.similarity == pytest.approx(here.similarity, abs=1e-5)
    assert there.least_similarity == pytest.approx(here.least_similarity, abs=1e-5)
    assert (there.compared_frames, there.interrupted) == (here.compared_frames, False)
    assert decide(there, load_policy()) == decide(here, load_policy())


def test_faces_of_stills_are_the_same(node: Engine, engine: Engine, portraits: dict[str, bytes]) -> None:
    for photo in portraits.values():
        frame = decode_image(photo)
        assert np.allclose(node.reference(frame).vector, engine.reference(frame).vector, atol=1e-5)
        assert np.allclose(node.single_face(frame).landmarks, engine.single_face(frame).landmarks, atol=1e-2)


def test_what_is_asked_at_about_the_same_time_runs_together(
    node: Engine, farm: RayFarm, engine: Engine, portraits: dict[str, bytes]
) -> None:
    frame = decode_image(portraits["person_a_1"])
    face, expected = engine.single_face(frame), engine.probe(frame)
    asked_before, ran_before = counted(farm)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: node.embed(frame, face), range(48)))
    asked, ran = counted(farm)
    assert asked["embedding"] - asked_before["embedding"] == 48
    assert ran["embedding"] - ran_before["embedding"] <= 24
    assert all(np.allclose(each.vector, expected.vector, atol=1e-5) for each in found)


def test_on_an_event_loop_it_is_waited_for_elsewhere(node: Engine) -> None:
    async def checked() -> None:
        await asyncio.to_thread(node.check)

    asyncio.run(checked())


def test_an_application_that_is_not_there_is_unavailable(cluster: Head, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, engine="ray", ray_address=cluster.address, ray_application="nobody")
    with pytest.raises(ModelError) as caught:
        open_engine(settings)
    assert caught.value.code == "engine_unavailable"


def test_a_replica_that_dies_is_a_clear_refusal_and_is_replaced(
    cluster: Head, node: Engine, portraits: dict[str, bytes]
) -> None:
    frame = decode_image(portraits["person_a_1"])
    expected = node.probe(frame)
    (replica,) = replicas(cluster)
    replica.kill()
    refused, died, again = set(), monotonic(), None
    while again is None and monotonic() - died < RECOVERS_SECONDS:
        asked = monotonic()
        try:
            again = node.probe(frame)
        except ModelError as error:
            refused.add(error.code)
            assert monotonic() - asked < SECONDS + 1
            sleep(0.2)
    assert refused == {"engine_unavailable"}
    assert again is not None
    assert np.allclose(again.vector, expected.vector, atol=1e-5)
    assert [each.pid for each in replicas(cluster)] != [replica.pid]


def test_the_configuration_that_comes_along_is_one_of_serve() -> None:
    from ray.serve.schema import ServeDeploySchema

    config = ServeDeploySchema(**yaml.safe_load((ROOT / "deploy" / "ray" / "serve.yaml").read_text("utf-8")))
    (application,) = config.applications
    assert application.name == Settings.model_fields["ray_application"].default
    assert [deployment.name for deployment in application.deployments] == [DEPLOYMENT]


def test_without_a_cluster_a_node_says_so(portraits: dict[str, bytes], tmp_path: Path) -> None:
    """In a process of its own: this one has joined a cluster. Nobody listens on port 9 (RFC 863) of loopback."""
    photo = tmp_path / "photo"
    photo.write_bytes(portraits["person_a_1"])
    environment = {
        **os.environ,
        "HEYAN_DATA_DIR": str(tmp_path),
        "HEYAN_ENGINE": "ray",
        "HEYAN_RAY_ADDRESS": "127.0.0.1:9",
        "RAY_AUTH_MODE": "disabled",
    }
    told = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "compare", str(photo), str(photo)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert told.returncode == 2, told.stdout + told.stderr
    assert "engine_unavailable" in told.stderr


def test_after_its_head_was_lost_a_node_lives_and_refuses(cluster: Head, node: Engine) -> None:
    """The last test: nothing is left of the cluster."""
    left = cluster.process.children(recursive=True)
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(left, timeout=10)
    for _ in range(3):
        asked = monotonic()
        with pytest.raises(ModelError) as caught:
            node.check()
        assert caught.value.code == "engine_unavailable"
        assert monotonic() - asked < SECONDS + 1
