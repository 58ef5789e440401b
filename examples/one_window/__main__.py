"""Start the window, alone beside a heyan that runs, or both.

python -m examples.one_window both
python -m examples.one_window serve --heyan https://verify.example --key-file key.txt
"""

import signal
import ssl
import sys
from pathlib import Path
from typing import Annotated

import httpx
import platformdirs
import typer

from examples.client import HeyanError
from examples.one_window.both import BothError, heyan_running, own_key
from examples.one_window.serving import Window, serve_window

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

DataOption = Annotated[Path, typer.Option(help="ledger and archive of the window")]
PortOption = Annotated[int, typer.Option(help="of the window's pages, on loopback")]
DATA = Path(platformdirs.user_data_dir("heyan-one-window", appauthor=False))
PORT = 8421


@cli.command()
def serve(
    heyan: Annotated[str, typer.Option(help="address of heyan")],
    key_file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="file with an API key of heyan's")],
    ca: Annotated[Path | None, typer.Option(help="certificate authority of heyan, if it has one of its own")] = None,
    data: DataOption = DATA,
    port: PortOption = PORT,
) -> None:
    """The window alone. heyan must be let to send notices here: HEYAN_WEBHOOK_PRIVATE_ADDRESSES=true."""
    window = Window(heyan=heyan, api_key=key_file.read_text("ascii").strip(), authority=ca, data=data, port=port)
    _serve(window)


@cli.command()
def both(
    heyan_port: Annotated[int, typer.Option(help="port of heyan")] = 8420,
    tls: Annotated[bool, typer.Option("--tls", help="heyan with HTTPS, for phones on the local network")] = False,
    test: Annotated[bool, typer.Option("--test", help="with a key of test mode: people verify by their names")] = False,
    data: DataOption = DATA,
    port: PortOption = PORT,
) -> None:
    """heyan on its embedded defaults and the window beside it, until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that heyan is ended too
    try:
        with heyan_running(port=heyan_port, tls=tls) as (url, authority):
            folder = data / "test" if test else data
            key = own_key(folder, origin=f"http://127.0.0.1:{port}", test=test)
            _serve(Window(heyan=url, api_key=key, authority=authority, data=folder, port=port))
    except BothError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(0)


def _serve(window: Window) -> None:
    try:
        serve_window(window, announce=lambda url: typer.echo(f"\nOpen {url}\n  Ctrl-C ends."))
    except HeyanError as refusal:
        sys.exit(f"heyan refuses: {refusal}")
    except (httpx.TransportError, ssl.SSLError) as error:
        sys.exit(f"heyan does not answer at {window.heyan}: {error}")
    except OSError as error:
        sys.exit(f"port {window.port}: {error.strerror}; choose another one with --port")


if __name__ == "__main__":
    cli()
