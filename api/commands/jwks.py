"""`heyan jwks`: the public keys, for an archive that checks receipts offline."""

import json
from typing import Annotated

import typer

from api.commands.failing import explained
from api.settings import load_settings
from verify.jose import key_set
from verify.signing import Purpose, read_rings


def jwks(test: Annotated[bool, typer.Option("--test", help="the keys of test mode")] = False) -> None:
    """Print the public keys of tokens, receipts and checkpoints as a JWKS (RFC 7517), retired ones too."""
    with explained():
        rings = read_rings(load_settings().data_dir)
        purposes: tuple[Purpose, ...] = ("test" if test else "live", "checkpoint")
        published = [key for purpose in purposes for key in rings[purpose].ring.published()]
    typer.echo(json.dumps(key_set(published), indent=2))
