"""`heyan keys rotate | approve | withdraw | history`: the keys that sign, and the two operators who replace one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from time import time
from typing import Annotated, TypeVar

import typer

from api.commands.acting import AsOption, moment, shown_key, who
from api.commands.failing import complain, explained
from api.composition import open_store_of, own_rings
from api.settings import load_settings
from verify.key_changes import KeyChange, KeyChanges
from verify.operators import Operator, Operators
from verify.signing import Purpose, Ring, read_rings

T = TypeVar("T")

KeyFile = Annotated[
    Path | None,
    typer.Option("--operator-key", help="a file with your operator's key, - for standard input; else it is asked"),
]
KidArgument = Annotated[str, typer.Argument(metavar="KID", help="of the key that is replaced, in full")]


def rotate(
    purpose: Annotated[Purpose, typer.Option("--key", help="which of the service's keys")] = "live",
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="the new key signs as soon as it is approved, without being published before"),
    ] = False,
    operator_id: Annotated[
        str | None, typer.Option("--as", metavar="OPERATOR", help="your id; not needed for the key of test mode")
    ] = None,
    operator_key: KeyFile = None,
    reason: Annotated[
        str | None,
        typer.Option("--without-second-operator", metavar="REASON", help="now and alone: the key is stolen, say why"),
    ] = None,
) -> None:
    """Propose a new signing key; another operator approves it. It is published then, and signs ten minutes later.

    The key of test mode is replaced without asking anybody: its tokens are worth nothing.
    """
    if reason is not None and purpose == "test":
        raise typer.BadParameter("the key of test mode needs no operator", param_hint="--without-second-operator")
    if purpose == "test":
        with explained():
            _tell(read_rings(load_settings().data_dir)[purpose].rotate(now=time(), at_once=at_once))
        return
    if operator_id is None:
        raise typer.BadParameter("this key is replaced by two operators: say who you are", param_hint="--as")
    if reason is not None:
        _replace_alone(operator_id, operator_key, purpose, reason)
        return
    change = _as_operator(
        operator_id, operator_key, lambda changes, operator: changes.propose(operator, purpose, at_once=at_once)
    )
    typer.echo(f"a new {purpose} key is proposed; another operator approves it: heyan keys approve KID", err=True)
    typer.echo(change.kid)


def approve(kid: KidArgument, operator_id: AsOption, operator_key: KeyFile = None) -> None:
    """Approve a new signing key that another operator has proposed. Running services follow by themselves."""
    change = _as_operator(
        operator_id, operator_key, lambda changes, operator: changes.approve(operator, kid, now=time())
    )
    with explained():
        _tell(read_rings(load_settings().data_dir)[change.purpose].ring)


def withdraw(kid: KidArgument, operator_id: AsOption, operator_key: KeyFile = None) -> None:
    """Take a proposed key back, or turn down another's."""
    _as_operator(operator_id, operator_key, lambda changes, operator: changes.withdraw(operator, kid))
    typer.echo("the change is withdrawn")


def history() -> None:
    """All changes of signing keys, oldest first: by whom, when, and what became of them."""

    async def read(changes: KeyChanges) -> tuple[tuple[KeyChange, ...], Mapping[str, str]]:
        people = await changes.operators.list()
        return await changes.history(), {each.id: each.name for each in people}

    found, people = _at_desk(read)
    for each in found:
        how = "at once" if each.at_once else "after ten minutes"
        typer.echo(f"{each.purpose} key {each.kid}: {each.state.replace('_', ' ')}, {how}")
        typer.echo(f"  proposed  {moment(each.proposed_at)} by {who(each.proposed_by, people)}")
        if each.reason is not None:
            typer.echo(f"  alone     {each.reason}")
        elif each.decided_by is not None and each.decided_at is not None:
            typer.echo(f"  {each.state:<9} {moment(each.decided_at)} by {who(each.decided_by, people)}")
    if not found:
        typer.echo("no key was ever proposed to be replaced", err=True)


def _replace_alone(operator_id: str, key: Path | None, purpose: Purpose, reason: str) -> None:
    change = _as_operator(
        operator_id,
        key,
        lambda changes, operator: changes.replace_alone(operator, purpose, reason=reason, now=time()),
    )
    complain("without_second_operator", f"{change.kid} was replaced by one operator; the audit says so for good")
    with explained():
        _tell(read_rings(load_settings().data_dir)[purpose].ring)


def _tell(ring: Ring) -> None:
    newest = ring.keys[-1]
    since = datetime.fromtimestamp(newest.signs_from, UTC).strftime("%Y-%m-%d %H:%M:%S")
    typer.echo(f"key {newest.public.kid} signs from {since} UTC; {len(ring.keys)} keys are published")


def _as_operator(operator_id: str, key: Path | None, use: Callable[[KeyChanges, Operator], Awaitable[T]]) -> T:
    """Act as an operator, who shows their key."""
    shown = shown_key(operator_id, key, option="--operator-key")

    async def acting(changes: KeyChanges) -> T:
        return await use(changes, await changes.operators.holder(shown, expected=operator_id))

    return _at_desk(acting)


def _at_desk(use: Callable[[KeyChanges], Awaitable[T]]) -> T:
    """Use the store and the keys of the settings, beside a running service or alone."""

    async def opened() -> T:
        settings = load_settings()
        async with open_store_of(settings) as store:
            rings = await own_rings(settings, store)
            return await use(KeyChanges(store, Operators(store, token_bytes), rings))

    with explained():
        return asyncio.run(opened())
