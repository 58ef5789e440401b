"""`heyan jwks`: the public keys, for an archive that checks receipts offline."""

import json
import secrets
from typing import Annotated

import typer

from api.commands.failing import explained
from api.settings import load_settings
from verify.casefile import Mode
from verify.jose import key_set
from verify.signing import load_keys


def jwks(test: Annotated[bool, typer.Option("--test", help="the keys of test mode")] = False) -> None:
    """Print the public keys of tokens and receipts as a JWKS (RFC 7517)."""
    with explained():
        keys = load_keys(load_settings().data_dir, entropy=secrets.token_bytes)
    mode: Mode = "test" if test else "live"
    typer.echo(json.dumps(key_set({mode: keys.signing[mode]}), indent=2))
