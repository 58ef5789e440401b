"""The client that the first start on embedded defaults makes, so that the first request needs no set-up."""

import os
from pathlib import Path

from verify.clients import SCOPES, Clients
from verify.errors import Refused

NAME = "default"


async def ensure_first_client(clients: Clients, key_file: Path) -> None:
    """Keep a working API key in `key_file` (0600). One that was revoked is followed by another of the same client."""
    kept = _read(key_file)
    if kept is None or not await _works(clients, kept):
        _write_private(key_file, await _new_key(clients, kept) + "\n")


async def _new_key(clients: Clients, revoked: str | None) -> str:
    client = await clients.of_key(revoked) if revoked is not None else None
    if client is None:
        return (await clients.create(NAME, mode="live", scopes=SCOPES))[1]
    return (await clients.add_key(client.id, scopes=SCOPES))[1]


async def _works(clients: Clients, secret: str) -> bool:
    try:
        await clients.authenticate(secret)
    except Refused:
        return False
    return True


def _read(path: Path) -> str | None:
    return path.read_text("utf-8").strip() if path.exists() else None


def _write_private(path: Path, content: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(content)
    temporary.replace(path)
