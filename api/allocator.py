"""How the C library's allocator keeps memory: told to give large pieces back.

By itself glibc raises, with every large piece that is freed, both the size from which pieces are mapped by themselves
(up to 32 MiB) and what it keeps of a heap's end (up to twice that, in each of several heaps). Photos of megapixels
teach it to, and a service that decodes them on its threads then grows by fragments for hours. Fixed values end that
(mallopt(3)).
"""

import ctypes
import os
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""
KEPT_BYTES = 4 * 1024 * 1024
"""Of a heap's free end: several frames of 480 x 640, so that a frame's memory is not asked for anew each time."""
MAPPED_BYTES = 1024 * 1024
"""From so many on a piece is mapped by itself: above a frame (921,600 bytes), below a photo of megapixels."""


def give_memory_back() -> bool:
    """Fix both sizes for this process; whether that was done.

    Not where the C library is another one, nor where the environment tunes it already (MALLOC_…, GLIBC_TUNABLES).
    """
    tuned = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if tuned or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, MAPPED_BYTES)) and bool(mallopt(TRIM_THRESHOLD, KEPT_BYTES))
