"""`heyan policy …`: the policies there are, checking one of your own, and the two operators who put it in force."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from api.commands.acting import AsOption, KeyOption, moment, shown_key, who
from api.commands.failing import complain, explained
from api.commands.policy_replay import replay
from api.commands.receipts import read_file
from api.commands.tables import show_table
from api.composition import open_engine, open_store_of, policy_changes
from api.settings import Settings, load_settings
from models.errors import ModelError
from models.packs import find_pack
from verify.operators import Operator
from verify.policy import Policy, PolicyError, load_policy, names, parse_policy, require_contract
from verify.policy_changes import History, PolicyChanges, Proposal, file_digest, named_text
from verify.policy_check import faults, flattened, read_policy

T = TypeVar("T")

commands = typer.Typer(help="Policies: what is decided by, and who may change it.", no_args_is_help=True)
commands.command()(replay)

NOT_USABLE = 1

DigestArgument = Annotated[str, typer.Argument(metavar="DIGEST", help="of the proposed file, in full")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What a command about policies works with."""

    settings: Settings
    changes: PolicyChanges

    async def operator(self, operator_id: str, key: str) -> Operator:
        return await self.changes.operators.holder(key, expected=operator_id)


@commands.command(name="list")
def list_policies() -> None:
    """All policies: shipped ones, and those that operators have proposed. A star: in force at the next start."""

    async def read(desk: _Desk) -> tuple[History, Policy | None]:
        return await desk.changes.history(), await _in_force(desk)

    history, current = _at_desk(read)
    in_force = None if current is None else current.version
    table = Table("", "policy", "whose", "state", "contract")
    for name in names():
        table.add_row(_star(name, in_force), name, "shipped", "", load_policy(name).contract)
    for proposal in history.proposals:
        if proposal.version not in names():
            state = proposal.state.replace("_", " ")
            star = _star(proposal.version, in_force) if proposal.state == "in_force" else ""
            table.add_row(star, proposal.version, "own", state, _contract(proposal))
    show_table(table)


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="a shipped or proposed policy, by its version or digest")],
    as_toml: Annotated[bool, typer.Option("--toml", help="the file itself, to copy from")] = False,
) -> None:
    """Every value of a policy, and where it differs from the one in force."""

    async def read(desk: _Desk) -> tuple[str, Policy | None]:
        return named_text(await desk.changes.history(), name), await _in_force(desk)

    text, in_force = _at_desk(read)
    if as_toml:
        typer.echo(text, nl=False)
        return
    with explained():
        policy = parse_policy(text)
    typer.echo(f"digest {file_digest(text.encode())}")
    show_table(_compared(policy, in_force or policy))


@commands.command()
def check(file: Annotated[Path, typer.Argument(help="a policy of your own, as TOML")]) -> None:
    """What is wrong with a policy, and is it for the loaded models? Exit code 0: usable, 1: not, 2: no such file."""
    content = read_file(file)
    with explained():
        text = read_policy(content)
        found = faults(text)
        for fault in found:
            complain("policy_invalid", fault)
        if found:
            raise typer.Exit(NOT_USABLE)
        contract = open_engine(load_settings()).contract
    policy = parse_policy(text)
    typer.echo(f"version  {policy.version}\ndigest   {file_digest(content)}\ncontract {policy.contract}")
    try:
        require_contract(policy, contract)
    except PolicyError as error:
        complain(error.code, str(error))
        raise typer.Exit(NOT_USABLE) from None
    typer.echo("usable, with the models that are loaded; to put it in force: heyan policy propose")


@commands.command()
def propose(
    file: Annotated[Path, typer.Argument(help="the policy, as TOML")], operator_id: AsOption, key: KeyOption = None
) -> None:
    """Propose a policy: its content goes into the operators' audit chain. Prints the digest, which another approves."""
    content = read_file(file)
    with explained():
        contract = open_engine(load_settings()).contract

    async def proposed(desk: _Desk, operator: Operator) -> Proposal:
        return await desk.changes.propose(operator, content, expected_contract=contract)

    proposal = _as_operator(operator_id, key, proposed)
    typer.echo(f"{proposal.version} is proposed; another operator approves it: heyan policy approve DIGEST", err=True)
    typer.echo(proposal.digest)


@commands.command()
def approve(
    digest: DigestArgument,
    operator_id: AsOption,
    key: KeyOption = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="your copy of the file: refused if it is not what was proposed")
    ] = None,
) -> None:
    """Approve what another operator has proposed: it is in force from the next start of each replica."""
    own_copy = None if file is None else file_digest(read_file(file))
    with explained():
        if own_copy not in {None, digest}:
            raise PolicyError("policy_changed", f"{file} has the digest {own_copy}: it is not what was proposed")
        contract = open_engine(load_settings()).contract

    async def approved(desk: _Desk, operator: Operator) -> Proposal:
        return await desk.changes.approve(operator, digest, expected_contract=contract)

    proposal = _as_operator(operator_id, key, approved)
    typer.echo(f"{proposal.version} is in force from the next start: restart every replica")


@commands.command()
def withdraw(digest: DigestArgument, operator_id: AsOption, key: KeyOption = None) -> None:
    """Take a proposal back, or turn down another's. What is in force stays: to change it, propose something else."""

    async def withdrawn(desk: _Desk, operator: Operator) -> Proposal:
        return await desk.changes.withdraw(operator, digest)

    proposal = _as_operator(operator_id, key, withdrawn)
    typer.echo(f"{proposal.version} is withdrawn")


@commands.command()
def history() -> None:
    """All proposals, oldest first: by whom, when, and what became of them."""

    async def read(desk: _Desk) -> tuple[History, Mapping[str, str]]:
        people = await desk.changes.operators.list()
        return await desk.changes.history(), {each.id: each.name for each in people}

    found, people = _at_desk(read)
    for proposal in found.proposals:
        typer.echo(f"{proposal.version}: {proposal.state.replace('_', ' ')}\n  digest    {proposal.digest}")
        typer.echo(f"  proposed  {moment(proposal.proposed_at)} by {who(proposal.proposed_by, people)}")
        if proposal.decided_by is not None and proposal.decided_at is not None:
            done = "withdrawn" if proposal.state == "withdrawn" else "approved "
            typer.echo(f"  {done} {moment(proposal.decided_at)} by {who(proposal.decided_by, people)}")
    if not found.proposals:
        typer.echo("no policy was ever proposed: a shipped one is in force", err=True)


async def _in_force(desk: _Desk) -> Policy | None:
    """None, and a complaint, if the service would not start."""
    try:
        contract = find_pack(desk.settings.pack).contract or ""
        return await desk.changes.in_force(named=desk.settings.named_policy, contract=contract)
    except (ModelError, PolicyError) as error:
        complain(error.code, str(error))
        return None


def _star(version: str, in_force: str | None) -> str:
    return "*" if version == in_force else ""


def _contract(proposal: Proposal) -> str:
    try:
        return parse_policy(proposal.content).contract
    except PolicyError as error:
        return error.code


def _compared(policy: Policy, other: Policy) -> Table:
    values, others = flattened(policy), flattened(other)
    table = Table("line", "value", f"in force ({other.version})" if other is not policy else "")
    for name in dict.fromkeys((*values, *others)):
        mine, theirs = _cell(values.get(name)), _cell(others.get(name))
        table.add_row(name, mine, f"[yellow]{theirs}" if mine != theirs else "")
    return table


def _cell(value: object) -> str:
    if value is None:
        return "–"
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return shown.strip().replace("[", r"\[")


def _as_operator(operator_id: str, key: Path | None, use: Callable[[_Desk, Operator], Awaitable[T]]) -> T:
    """Act as an operator, who shows their key."""
    shown = shown_key(operator_id, key)

    async def acting(desk: _Desk) -> T:
        return await use(desk, await desk.operator(operator_id, shown))

    return _at_desk(acting)


def _at_desk(use: Callable[[_Desk], Awaitable[T]]) -> T:
    """Use the store of the settings, beside a running service or alone."""

    async def opened() -> T:
        settings = load_settings()
        async with open_store_of(settings) as store:
            return await use(_Desk(settings=settings, changes=policy_changes(store)))

    with explained():
        return asyncio.run(opened())
