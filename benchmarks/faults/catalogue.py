"""What is done to a service, by name: each hurts it, waits, and mends it, while callers go on.

What must never happen meanwhile each looks for itself, beside what callers look for.
"""

import asyncio
import os
import resource
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import httpx
import numpy as np
import psutil
import simplejpeg

from benchmarks.faults.errands import Told
from benchmarks.faults.town import Replica, Town, town, watched_town
from benchmarks.service import HEYAN, ServiceError
from models.prepare import default_data_dir
from verify.errors import StoreUnavailable

FREEZE_SECONDS = 8.0
"""Longer than the service waits for the store."""
PROMOTION_SECONDS = 60.0
"""A bound; half a second to notice and an election take some two or three."""
HOLD_SECONDS = 3.0
"""For so long a fault lasts, if it does not end by itself."""
LATE_SECONDS = 0.15
SKEW_SECONDS = 3600
SKEWED = (
    "import sys, time; ahead, real = float(sys.argv.pop(1)), time.time; time.time = lambda: real() + ahead; "
    "from api.cli import main; main()"
)
"""A service whose process clock is wrong; everything else is as ever."""
SPARE_FILES = 3
"""Open files that a process may have beyond those it has."""
NO_DATA = ("*.lock", "*.sock", "*.log")
"""Files of a store's directory that are no part of a backup."""
FULL_BYTES = 4096
"""What the store may still write before its disk is full."""
TROUBLE_SECONDS = 3.0
LARGE_SIDE = 6000
"""Of a photo: 36 megapixels, which the service takes, are 108 MB when decoded."""


@dataclass(slots=True)
class Scene:
    """Where a fault happens. The first replica is the one that is hurt, if one is."""

    town: Town
    told: Told

    @property
    def victim(self) -> Replica:
        """The first replica."""
        return self.town.replicas[0]

    def note(self, wrong: str) -> None:
        """Remember what must never happen."""
        self.told.wrong.append(wrong)


Hurt = Callable[[Scene], Awaitable[None]]


class Place(Protocol):
    """Starts a town."""

    def __call__(self, folder: Path, *, replicas: int) -> AbstractAsyncContextManager[Town]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """`what`: for the table, in a few words. `felt`: whether somebody must have been refused meanwhile. `place`: where
    it happens."""

    what: str
    hurt: Hurt
    felt: bool = True
    place: Place = town


async def replica_killed(scene: Scene) -> None:
    await scene.victim.kill()
    await asyncio.sleep(HOLD_SECONDS)
    await scene.victim.start()


async def store_killed(scene: Scene) -> None:
    (await scene.town.store_process()).kill()


async def replica_promoted(scene: Scene) -> None:
    """The primary dies for good; what was acknowledged must be on the replica of the store that takes over."""
    before = await scene.town.store_process()
    before.kill()
    until = monotonic() + PROMOTION_SECONDS
    while monotonic() < until:
        with suppress(StoreUnavailable):
            if (await scene.town.store_process()).pid != before.pid:
                return
        await asyncio.sleep(0.05)
    scene.note("no replica of the store took over")


async def everything_killed(scene: Scene) -> None:
    store = await scene.town.store_process()
    await asyncio.gather(*(each.kill() for each in scene.town.replicas))
    store.kill()
    await asyncio.sleep(HOLD_SECONDS)
    await asyncio.gather(*(each.start() for each in scene.town.replicas))


async def store_frozen(scene: Scene) -> None:
    store = await scene.town.store_process()
    store.suspend()
    try:
        await asyncio.sleep(FREEZE_SECONDS)
    finally:
        store.resume()


async def link_cut(scene: Scene) -> None:
    scene.victim.link.cut()
    await _must_not_be_ready(scene)
    await asyncio.sleep(HOLD_SECONDS)
    scene.victim.link.down = False


async def link_slow(scene: Scene) -> None:
    scene.victim.link.delay_seconds = LATE_SECONDS
    await asyncio.sleep(HOLD_SECONDS)
    scene.victim.link.delay_seconds = 0.0


def clock_wrong(seconds: int) -> Hurt:
    """The first replica's process is started again with a clock that is so far off."""

    async def hurt(scene: Scene) -> None:
        await scene.victim.stop()
        with suppress(ServiceError):  # it may refuse to start at all
            await scene.victim.start((sys.executable, "-c", SKEWED, str(seconds)))
        await _must_not_be_ready(scene)
        await asyncio.sleep(HOLD_SECONDS)
        await scene.victim.stop()
        await scene.victim.start()

    return hurt


async def cache_damaged(scene: Scene) -> None:
    models = await _own_weights(scene)
    for path in (models / "compiled").glob("sface*.onnx"):
        _damage(path)
    await _must_not_start(scene, "model_checksum_mismatch")
    await _prepare(scene)
    await scene.victim.start()


async def weights_damaged(scene: Scene) -> None:
    models = await _own_weights(scene)
    source = next((models / "sources").glob("face_recognition*.onnx"))
    kept = source.read_bytes()
    _damage(source)
    shutil.rmtree(models / "compiled")
    await _must_not_start(scene, "model_missing")
    source.write_bytes(kept)
    await _prepare(scene)
    await scene.victim.start()


async def keys_rotated(scene: Scene) -> None:
    """At once: what was signed with the key before must not be redeemed with less than its public key still there."""
    done = await _command(scene.victim.folder, "keys", "rotate", "--key", "test", "--at-once")
    if done.returncode:
        scene.note(f"keys were not rotated: {done.stderr[-300:]}")


async def files_exhausted(scene: Scene) -> None:
    process = scene.victim.process
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + SPARE_FILES, hard))
    try:
        async with _crowd(scene):
            await _expect_trouble(scene, "GET", "/healthz")
            await asyncio.sleep(HOLD_SECONDS)
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))


async def memory_exhausted(scene: Scene) -> None:
    """What is small still fits into what the process has; a large photo does not."""
    process = scene.victim.process
    soft, hard = process.rlimit(psutil.RLIMIT_AS)
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms, hard))
    try:
        await _expect_trouble(scene, "POST", "/v1/compare", json={"photo_a": _large_photo(), "photo_b": _large_photo()})
        await asyncio.sleep(HOLD_SECONDS)
    finally:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_AS, (soft, hard))
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            await scene.victim.stop()
            await scene.victim.start()


async def disk_full(scene: Scene) -> None:
    """No file of the store may grow by more than a little, also of a store that is started again meanwhile.

    To the store that is a failed write, as on a full disk.
    """
    store = await scene.town.store_process()
    log = max(scene.town.embedded.folder.rglob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
    bound = log.stat().st_size + FULL_BYTES
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store.rlimit(psutil.RLIMIT_FSIZE, (bound, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, hard))  # the store's next process inherits it from this one
    try:
        await asyncio.sleep(2 * HOLD_SECONDS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with suppress(psutil.NoSuchProcess):
            store.rlimit(psutil.RLIMIT_FSIZE, (soft, hard))


async def backup_restored(scene: Scene) -> None:
    """What was redeemed after the backup was made must not be redeemed again; what was told before is all there."""
    backup = scene.town.folder / "backup"
    before = scene.told.acknowledged()
    await asyncio.to_thread(
        shutil.copytree, scene.town.embedded.folder, backup, ignore=shutil.ignore_patterns(*NO_DATA)
    )
    await asyncio.sleep(HOLD_SECONDS)
    await asyncio.gather(*(each.stop() for each in scene.town.replicas))
    since = scene.told.keep_only(before)
    await scene.town.restore(backup)
    done = await _command(scene.victim.folder, "store", "restored", store_url=scene.town.embedded.url)
    if done.returncode:
        scene.note(f"`heyan store restored` failed: {done.stderr[-300:]}")
    await asyncio.gather(*(each.start() for each in scene.town.replicas))
    if not since:
        scene.note("nothing was redeemed after the backup: this says nothing")
    async with httpx.AsyncClient(timeout=10, headers={"Authorization": f"Bearer {scene.town.api_key}"}) as http:
        for body in since:
            answer = await http.post(f"{scene.victim.url}/v1/tokens/redeem", json=body)
            if answer.is_success:
                scene.note("a token that was redeemed after the backup was redeemed again")


FAULTS: Mapping[str, Fault] = {
    "replica_killed": Fault("one of two replicas is killed, and started again", replica_killed),
    "store_killed": Fault("the store is killed; what watches it starts it again", store_killed, felt=False),
    "replica_promoted": Fault(
        "the store's primary is killed, and sentinels promote a replica", replica_promoted, place=watched_town
    ),
    "everything_killed": Fault("store and replicas are killed, and started again", everything_killed),
    "store_frozen": Fault("the store stops answering, and goes on later", store_frozen),
    "link_cut": Fault("one replica cannot reach the store", link_cut),
    "link_slow": Fault("one replica's connection to the store is 150 ms late each way", link_slow, felt=False),
    "clock_ahead": Fault("the clock of one process is an hour ahead", clock_wrong(SKEW_SECONDS)),
    "clock_behind": Fault("the clock of one process is an hour behind", clock_wrong(-SKEW_SECONDS)),
    "cache_damaged": Fault("a compiled network is damaged; `heyan models prepare` mends it", cache_damaged),
    "weights_damaged": Fault("a weight file is damaged and its compiled form lost", weights_damaged),
    "keys_rotated": Fault("the signing key is replaced at once", keys_rotated, felt=False),
    "files_exhausted": Fault("one process may open no more files", files_exhausted),
    "memory_exhausted": Fault("one process gets no more memory", memory_exhausted),
    "disk_full": Fault("the store's files may not grow", disk_full),
    "backup_restored": Fault("a backup of the store is restored, and `heyan store restored` run", backup_restored),
}


async def _must_not_be_ready(scene: Scene) -> None:
    """Whoever asks the first replica is told not to send anybody there."""
    if scene.victim.url is None:
        return
    async with httpx.AsyncClient(timeout=10) as http:
        answer = await http.get(scene.victim.url + "/readyz")
    if answer.is_success:
        scene.note("a replica that must not serve said that it is ready")


async def _must_not_start(scene: Scene, code: str) -> None:
    try:
        await scene.victim.start()
    except ServiceError as error:
        if code not in str(error):
            scene.note(f"a replica did not say {code}: {error}")
    else:
        scene.note("a replica started on damaged weights")


async def _own_weights(scene: Scene) -> Path:
    """Stop the first replica and give it weights of its own, to be damaged."""
    await scene.victim.stop()
    models = scene.victim.folder / "models"
    models.unlink()
    await asyncio.to_thread(shutil.copytree, default_data_dir() / "models", models)
    return models


async def _prepare(scene: Scene) -> None:
    done = await _command(scene.victim.folder, "models", "prepare")
    if done.returncode:
        scene.note(f"`heyan models prepare` did not mend the weights: {done.stderr[-300:]}")


async def _command(data_dir: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """`heyan` on a replica's data directory."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEYAN_")}
    named = {f"HEYAN_{name.upper()}": value for name, value in settings.items()}
    environment = {**inherited, "HEYAN_DATA_DIR": str(data_dir), **named}

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run([HEYAN, *words], env=environment, capture_output=True, text=True, check=False)

    return await asyncio.to_thread(run)


@asynccontextmanager
async def _crowd(scene: Scene) -> AsyncIterator[None]:
    """More connections than the first replica has files for; they say nothing."""
    url = httpx.URL(scene.victim.url or "")
    opened = await asyncio.gather(
        *(asyncio.open_connection(url.host, url.port) for _ in range(2 * SPARE_FILES)), return_exceptions=True
    )
    try:
        yield
    finally:
        for each in opened:
            if not isinstance(each, BaseException):
                each[1].close()


async def _expect_trouble(scene: Scene, method: str, path: str, **content: Any) -> None:
    """A request that cannot be served now must fail, and be seen to: else the fault did nothing."""
    headers = {"Authorization": f"Bearer {scene.town.api_key}"}
    try:
        async with httpx.AsyncClient(timeout=TROUBLE_SECONDS, headers=headers) as http:
            answer = await http.request(method, f"{scene.victim.url}{path}", **content)
    except httpx.TransportError as error:
        scene.told.answers[type(error).__name__] += 1
        return
    if answer.is_success:
        scene.note(f"{path} was served as if nothing were the matter")
    else:
        scene.told.answers[f"HTTP {answer.status_code}"] += 1


def _large_photo() -> str:
    """A JPEG of many pixels and few bytes, in base64."""
    grey = np.full((LARGE_SIDE, LARGE_SIDE, 3), 127, np.uint8)
    return b64encode(simplejpeg.encode_jpeg(grey, quality=50, colorspace="BGR")).decode("ascii")


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
