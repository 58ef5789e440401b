"""`heyan audit verify | keygen | unseal`: is all that was recorded still there, and what was measured?"""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from api.commands.failing import explained
from api.commands.receipts import COMPACT, bad_input, read_file, read_keys
from api.commands.tables import show_table
from api.composition import open_store_to_read, own_vault
from api.settings import Settings, load_settings
from verify.auditing import Anchors, AuditReport, Progress, audit, read_anchors, remember_audit
from verify.cases import known_case
from verify.errors import StoreUnavailable
from verify.jose import SealingKey, VerifyingKey, new_sealing_key
from verify.scores import Unsealed, unsealed
from verify.signing import OWN_AUDITOR, PURPOSES, read_auditor_key, read_rings

commands = typer.Typer(help="The audit trail.", no_args_is_help=True)

NOT_INTACT = 1


@commands.command()
def verify(
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="a directory of receipts and checkpoints that somebody has kept")
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option("--jwks", help="published keys that somebody has kept, in place of the service's own")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, for machines")] = False,
) -> None:
    """Walk all cases and checkpoints. Exit code 0: intact, 1: something does not fit, 2: bad input."""
    with explained(), _progress() as progress:
        keys = read_keys(jwks) if jwks is not None else own_keys()
        kept = read_anchors(_texts(anchors), expected_keys=keys) if anchors is not None else Anchors()
        report = asyncio.run(_audit(keys, kept, progress))
    if as_json:
        told = {"intact": report.intact, "empty": _holds_nothing(report), "tail": tail(report), **asdict(report)}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _show(report, load_settings())
    raise typer.Exit(0 if report.intact else NOT_INTACT)


@commands.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="where the auditor's private key goes; the public one beside it")],
) -> None:
    """Make the auditor's key pair. The private half belongs to the auditor and not on the service's machine."""
    key, public = new_sealing_key(), file.with_name(f"{file.name}.pub")
    made = list[Path]()
    try:
        for path, private in ((file, True), (public, False)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                made.append(path)
                opened.write(key.to_json(private=private) + b"\n")
    except OSError as error:
        for half in made:  # it would stand in the way of the next pair
            half.unlink(missing_ok=True)
        message = f"{path}: {error.strerror}; give a path that is free and can be written"
        raise bad_input("file_unwritable", message) from None
    typer.echo(f"private key: {file} (keep it away from the service)")
    typer.echo(f"public key:  {public} (HEYAN_AUDITOR_KEY={public.absolute()})")


@commands.command(name="unseal")
def unseal_scores(
    case_id: Annotated[str, typer.Argument(metavar="CASE")],
    key_file: Annotated[
        Path | None, typer.Option("--key", help="the auditor's private key; the service's own if it made one")
    ] = None,
) -> None:
    """Print the scores of a case: one JSON object a decision. Exit code 1 if one cannot be read, and it says why."""
    with explained():
        settings = load_settings()
        key = read_auditor_key(key_file or settings.data_dir / "keys" / OWN_AUDITOR, private=True)
        found = asyncio.run(_unsealed(settings, known_case(case_id), key))
    for each in found:
        typer.echo(msgspec.json.encode(each).decode())
    raise typer.Exit(0 if all(each.outcome == "unsealed" for each in found) else NOT_INTACT)


async def _unsealed(settings: Settings, case_id: str, key: SealingKey) -> list[Unsealed]:
    async with open_store_to_read(settings) as store:
        vault = await own_vault(settings, store)
        return [each async for each in unsealed(store, vault, case_id, key=key)]


def tail(report: AuditReport) -> str:
    """How far back the end of the log is vouched for from outside."""
    if report.proven_to is None:
        return "unproven"
    return f"proven to checkpoint {report.proven_to} of {report.checkpoints}"


def own_keys() -> tuple[VerifyingKey, ...]:
    """All public keys of the data directory."""
    rings = read_rings(load_settings().data_dir)
    return tuple(key for purpose in PURPOSES for key in rings[purpose].ring.published())


async def _audit(keys: tuple[VerifyingKey, ...], anchors: Anchors, progress: Progress) -> AuditReport:
    async with open_store_to_read(load_settings()) as store:
        report = await audit(store, expected_keys=keys, anchors=anchors, progress=progress)
        with suppress(StoreUnavailable):  # a replica that only reads can be audited too
            await remember_audit(store, report)
        return report


def _texts(folder: Path) -> dict[str, str]:
    """Every compact JWS in a directory: files that hold one, or JSON with a `receipt` or a `checkpoint`."""
    if not folder.is_dir():
        raise bad_input("file_unreadable", f"{folder} is no directory: give the one that the anchors are kept in")
    found = {str(path): _text(read_file(path)) for path in sorted(folder.rglob("*")) if path.is_file()}
    texts = {where: text for where, text in found.items() if text is not None}
    if not texts:
        raise bad_input("file_invalid", f"{folder} holds no receipt and no checkpoint")
    return texts


def _text(content: bytes) -> str | None:
    text = content.decode("utf-8", errors="replace").strip()
    if text.startswith("{"):
        try:
            held = json.loads(text)
        except ValueError:
            return None
        text = str(held.get("receipt") or held.get("checkpoint"))
    return text if COMPACT.fullmatch(text) else None


def _holds_nothing(report: AuditReport) -> bool:
    return not report.cases + report.entries + report.checkpoints


def _show(report: AuditReport, settings: Settings) -> None:
    console = Console()
    if report.findings:
        table = Table("finding", "where", "what")
        for finding in report.findings:
            table.add_row(f"[red]{finding.code}", finding.where, finding.detail)
        show_table(table)
    console.print(
        f"{report.cases} cases, {report.entries} entries, {report.checkpoints} checkpoints, {report.anchors} anchors; "
        f"{report.uncovered} cases have entries that no checkpoint covers yet",
        highlight=False,
    )
    console.print(f"tail: {tail(report)}", style="green" if report.proven_to is not None else "yellow")
    if report.proven_to is None:
        advice = "whoever holds store and keys could have cut it off: keep receipts or checkpoints outside (--anchors)"
        console.print(advice, style="yellow", soft_wrap=True)
    if _holds_nothing(report) and report.intact:
        where = f"of HEYAN_DATA_DIR={settings.data_dir}" if settings.store_url is None else "at HEYAN_STORE_URL"
        console.print(
            f"nothing is recorded in the store {where}: is it the one of your service?", style="yellow", soft_wrap=True
        )
        return
    console.print("[green]intact" if report.intact else f"[red]{len(report.findings)} findings")


@contextmanager
def _progress() -> Iterator[Progress]:
    """One line for each kind of thing that is counted, on standard error."""
    with Bars(
        SpinnerColumn(),
        TextColumn("{task.completed:.0f} {task.description}"),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, count: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=None)
            bars.update(tasks[what], completed=count)

        yield show
