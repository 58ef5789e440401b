"""The embedded store across processes: who starts it, who finds it, who stops it."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from verify import embedded
from verify.connection import Connection, client, connect
from verify.embedded import SOCKET_PATH_BYTES, EmbeddedValkey
from verify.errors import StoreUnavailable
from verify.store import open_store

CHILD = """
    import asyncio, signal, sys
    from pathlib import Path
    from verify.store import open_store

    async def main():
        async with await open_store(None, Path(sys.argv[1])) as store:
            await store.put_record("kept", "by", b"the child")
            print(store._embedded._server.pid if store._embedded._server else 0, flush=True)
            await asyncio.sleep(30)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
    asyncio.run(main())
"""


def child(folder: Path) -> "subprocess.Popen[str]":
    """A process of its own group that uses the store of a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", dedent(CHILD), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def server_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def runs(pid: int) -> bool:
    """Whether a process is there and not only waits to be collected."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def ended(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate(timeout=10)


@pytest.mark.parametrize("name", ["plain", "with spaces and ' quotes", "核验", "deep/" + "x" * 60 + "/" + "y" * 60])
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    async with await open_store(None, folder) as store:
        await store.put_record("kept", "here", b"1")
        assert len(os.fsencode(EmbeddedValkey(folder / "store").socket)) <= SOCKET_PATH_BYTES
    async with await open_store(None, folder) as again:
        assert await again.get_record("kept", "here") == b"1"


async def test_nobody_else_can_look_into_it(tmp_path: Path) -> None:
    async with await open_store(None, tmp_path):
        assert (tmp_path / "store").stat().st_mode & 0o077 == 0
        assert (tmp_path / "store" / "valkey.sock").stat().st_mode & 0o077 == 0


async def test_ctrl_c_is_not_meant_for_the_store(tmp_path: Path) -> None:
    process = child(tmp_path)
    try:
        pid = server_of(process)
        assert os.getpgid(pid) != os.getpgid(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=10)
        assert not runs(pid)  # stopped by its user on the way out, and not before
    finally:
        ended(process)


async def test_a_killed_service_leaves_its_store_to_the_next(tmp_path: Path) -> None:
    process = child(tmp_path)
    pid = server_of(process)
    ended(process)
    assert runs(pid)
    async with await open_store(None, tmp_path) as store:
        assert store._embedded._server is None  # adopted, not started
        assert await store.get_record("kept", "by") == b"the child"
        assert runs(pid)
    assert not runs(pid)


async def test_two_processes_share_one_server_and_the_last_one_stops_it(tmp_path: Path) -> None:
    process = child(tmp_path)
    try:
        pid = server_of(process)
        async with await open_store(None, tmp_path) as store:
            assert await store.get_record("kept", "by") == b"the child"
        assert runs(pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert not runs(pid)
    finally:
        ended(process)


async def test_a_server_that_was_killed_is_started_again_with_what_it_had(tmp_path: Path) -> None:
    async with await open_store(None, tmp_path) as store:
        await store.put_record("kept", "before", b"1")
        os.kill(store._embedded._server.pid, signal.SIGKILL)
        assert await _once_it_is_back(store) == b"1"


async def test_a_question_that_is_given_up_leaves_no_connection_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if that happens while its connection is being closed."""
    begun, ended = asyncio.Event(), asyncio.Event()

    class Slow(Connection):
        async def close(self) -> None:
            begun.set()
            await asyncio.sleep(0.05)
            await super().close()
            ended.set()

    server = EmbeddedValkey(tmp_path / "store")
    await server.start(supervise=False)
    with monkeypatch.context() as patched:
        patched.setattr(embedded, "connect", lambda url, **_: Slow(client(url)))
        asking = asyncio.create_task(server._answers())
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert ended.is_set()
    await server.close()


async def test_a_damaged_file_is_a_clear_error_and_is_not_overwritten(tmp_path: Path) -> None:
    async with await open_store(None, tmp_path) as store:
        await store.put_record("kept", "before", b"1" * 1000)
    (damaged,) = (tmp_path / "store" / "appendonlydir").glob("*.incr.aof")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:40] + b"garbage" + content[60:])
    with pytest.raises(StoreUnavailable, match=r"valkey\.log"):
        await open_store(None, tmp_path)
    assert b"garbage" in damaged.read_bytes()


async def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "real")
    with pytest.raises(StoreUnavailable, match="link"):
        await open_store(None, tmp_path)


async def test_no_server_where_none_is() -> None:
    connection = connect("redis://127.0.0.1:1/0", repeats=0)
    with pytest.raises(StoreUnavailable):
        await connection.ask("PING")
    await connection.close()


async def _once_it_is_back(store: object) -> bytes | None:
    for _ in range(100):
        try:
            return await store.get_record("kept", "before")
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("the store did not come back")


async def test_the_supervisor_outlives_a_moment_without_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await open_store(None, tmp_path) as store:
        await store.put_record("kept", "before", b"1")
        tried = asyncio.Event()

        def exhausted(_: Path) -> int | None:
            tried.set()
            raise OSError(errno.EMFILE, "too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(embedded, "_try_lock", exhausted)
            await asyncio.wait_for(tried.wait(), 10)
        store._embedded._server.kill()
        assert await _once_it_is_back(store) == b"1"
