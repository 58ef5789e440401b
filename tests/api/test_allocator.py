"""What the allocator is told, tried in processes of their own: it cannot be taken back."""

import os
import platform
import subprocess
import sys

import pytest

GROWTH = """
import ctypes
from api.allocator import MAPPED_BYTES, give_memory_back
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
print(give_memory_back())
for _ in range(4):
    libc.free(libc.malloc(ctypes.c_size_t(16 * MAPPED_BYTES)))
before = libc.mallinfo2().hblkhd
kept = libc.malloc(ctypes.c_size_t(2 * MAPPED_BYTES))
print(libc.mallinfo2().hblkhd - before >= 2 * MAPPED_BYTES)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def said(**tuned: str) -> list[str]:
    """What was done, and whether a large piece is still mapped by itself once larger ones were freed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    found = subprocess.run(
        [sys.executable, "-c", GROWTH], env={**plain, **tuned}, capture_output=True, text=True, check=True
    )
    return found.stdout.split()


def test_large_pieces_are_mapped_by_themselves_whatever_was_freed_before() -> None:
    assert said() == ["True", "True"]


def test_an_operators_own_tuning_stands() -> None:
    assert said(MALLOC_ARENA_MAX="4") == ["False", "False"]
