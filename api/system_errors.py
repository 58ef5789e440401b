"""What the system says of files and disks, in words that name the file, the reason and what to do."""

import errno
import os
from pathlib import Path

from api.settings import default_data_dir

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
OF_DISKS = frozenset({*NO_ROOM, errno.EFBIG, errno.EROFS, errno.EIO})
"""What the system says of a disk, often without a word about the file."""


def unusable(error: OSError, *, data_dir: Path | None = None) -> str:
    """Which file, or which directory at least, why, and what to do about it."""
    where = error.filename
    if where is None and error.errno in OF_DISKS:
        where = f"a file in {data_dir or os.environ.get('HEYAN_DATA_DIR') or default_data_dir()}"
    told = (where if isinstance(where, str) else where and os.fsdecode(where), error.strerror)
    return f"{': '.join(part for part in told if part)}; {_mending(error.errno)}"


def _mending(number: int | None) -> str:
    if number in NO_ROOM:
        return "make room on that disk, or set HEYAN_DATA_DIR to a directory on a larger one"
    if number in FORBIDDEN:
        owner = f"this runs as user {os.geteuid()}"
        return f"see who owns it and its permissions (ls -ld), and run heyan as its owner; {owner}"
    return "give a path that can be used; HEYAN_DATA_DIR names the data directory"
