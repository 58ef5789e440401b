"""`heyan serve`: run the service."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.failing import explained
from api.logs import configure_logs
from api.qr_code import in_terminal
from api.serve import Listening, run
from api.settings import Settings, load_settings
from verify.signing import OWN_AUDITOR


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on (HEYAN_HOST)")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on (HEYAN_PORT)")] = None,
    tls: Annotated[
        bool | None, typer.Option("--tls", help="HTTPS on the local network, with a QR code for a phone (HEYAN_TLS)")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="keys, weights, embedded store (HEYAN_DATA_DIR)")
    ] = None,
) -> None:
    """Run the service until SIGINT or SIGTERM; live sessions may end first, a second signal stops at once."""
    with explained(Path(data_dir).absolute() if data_dir else None):
        settings = load_settings(host=host, port=port, tls=tls, data_dir=data_dir)
        configure_logs(settings.log_level)
        run(settings, announce=lambda where: typer.echo(announcement(settings, where)))


def announcement(settings: Settings, where: Listening) -> str:
    """What to open, and how; for the person who started the service."""
    lines = [f"heyan listens on {where.url}", f"  reference: {where.url}/docs"]
    if settings.store_url is None:
        lines.append(f"  API key:   {settings.first_key_file} (made on the first start)")
    if settings.auditor_key is None:
        own = settings.data_dir / "keys" / OWN_AUDITOR
        lines.append(f"  scores:    sealed to {own}, a key of this machine; give an auditor's with HEYAN_AUDITOR_KEY")
    if where.certificate is not None:
        lines += _trust(where, where.certificate.authority)
    return "\n".join(lines)


def _trust(where: Listening, authority: Path) -> list[str]:
    return [
        in_terminal(where.url),
        f"  The certificate authority of this service is {authority};",
        f"  on a phone in the same network: open {where.url}/ca.crt, pass the warning, install and trust it,",
        "  or pass the browser's warning each time. curl: --cacert with that file.",
    ]
