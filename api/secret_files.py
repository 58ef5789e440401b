"""Files that settings name and that hold secrets or certificates. What is in them is never shown."""

import ssl
from pathlib import Path

from api.settings import SettingsError


def read_secret(path: Path, *, setting: str) -> str:
    """The content of a file, without the line break at its end.

    Raises:
        SettingsError: `setting_invalid` for a file that cannot be read or is empty.
    """
    try:
        content = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError("setting_invalid", f"{setting}: the file cannot be read") from None
    if not content:
        raise SettingsError("setting_invalid", f"{setting}: the file is empty")
    return content


def trusting(authority: Path | None, *, setting: str) -> ssl.SSLContext:
    """TLS that trusts this certificate authority alone; without one those that the machine trusts.

    Raises:
        SettingsError: `setting_invalid`.
    """
    try:
        return ssl.create_default_context(cafile=None if authority is None else str(authority))
    except OSError:  # as all errors of `ssl` are
        raise SettingsError("setting_invalid", f"{setting}: the file is missing, or is no PEM file") from None
