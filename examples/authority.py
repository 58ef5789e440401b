"""An authority's photo service to try heyan against: a process of its own, with a certificate authority of its own.

    python -m examples.authority certificates KEYS
    python -m examples.authority serve PHOTOS --keys KEYS --port 8430

PHOTOS holds one picture a person, named by number and name: `310115199001011232_张三.jpg`. KEYS then holds what heyan
needs as well:

    HEYAN_AUTHORITY_URL=https://localhost:8430      HEYAN_AUTHORITY_CA=KEYS/ca.pem
    HEYAN_AUTHORITY_CERTIFICATE=KEYS/client.pem     HEYAN_AUTHORITY_KEY=KEYS/client.key

A real authority's service differs in what it asks; then `api/authority.py` is the place to say so.
"""

import ssl
from pathlib import Path
from typing import Annotated

import trustme
import typer
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

LOCAL = ("localhost", "127.0.0.1", "::1")

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


class Asked(BaseModel):
    """Whose photo."""

    id_type: str
    id_number: str
    name: str


def create_app(photos: Path) -> FastAPI:
    """The service over a directory of photos, which it reads anew for each request."""
    app = FastAPI(title="photo service of an authority", docs_url=None, redoc_url=None)

    @app.post("/photos")
    def photo(asked: Asked) -> Response:
        """200 with the picture, 404 if no photo has the number, 409 if the number has another name."""
        registered = {
            path.stem.partition("_")[2]: path for path in _pictures(photos) if _number(path) == asked.id_number
        }
        if not registered:
            return JSONResponse({"code": "photo_not_found"}, 404)
        if asked.name not in registered:
            return JSONResponse({"code": "name_mismatch"}, 409)
        return Response(registered[asked.name].read_bytes(), media_type="application/octet-stream")

    return app


@cli.command()
def certificates(keys: Annotated[Path, typer.Argument(help="directory to be made")]) -> None:
    """Make a certificate authority, and under it certificates for this service and for one client, heyan."""
    keys.mkdir(mode=0o700, parents=True)
    authority = trustme.CA(organization_name="photo service of an authority")
    authority.cert_pem.write_to_path(keys / "ca.pem")
    for name, issued in (
        ("server", authority.issue_cert(*LOCAL)),
        ("client", authority.issue_cert("heyan.client", common_name="heyan")),
    ):
        issued.private_key_pem.write_to_path(keys / f"{name}.key")
        (keys / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))


@cli.command()
def serve(
    photos: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="directory of NUMBER_NAME.jpg")],
    keys: Annotated[Path, typer.Option(exists=True, file_okay=False, help="what `certificates` has made")],
    port: Annotated[int, typer.Option(help="to listen on, on loopback")] = 8430,
) -> None:
    """Serve photos to whoever shows a certificate of our authority, and to nobody else."""
    uvicorn.run(
        create_app(photos),
        host="127.0.0.1",
        port=port,
        access_log=False,
        ssl_certfile=keys / "server.pem",
        ssl_keyfile=str(keys / "server.key"),
        ssl_ca_certs=str(keys / "ca.pem"),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )


def _pictures(photos: Path) -> list[Path]:
    return [path for path in photos.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"}]


def _number(path: Path) -> str:
    return path.stem.partition("_")[0]


if __name__ == "__main__":
    cli()
