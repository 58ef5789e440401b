"""`heyan policy replay`: what would another policy have decided on what past sessions measured? Counts only."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from api.commands.failing import explained
from api.commands.receipts import bad_input, read_file
from api.commands.tables import show_table
from api.composition import open_store_of, own_vault, policy_changes
from api.settings import Settings, load_settings
from verify.jose import SealingKey
from verify.oversight import Oversight
from verify.policy import Policy
from verify.policy_changes import named_text, policies_known
from verify.policy_check import checked_policy, read_policy
from verify.rejudging import NotReplayed, Progress, Replay, Verdict
from verify.rejudging import replay as replayed
from verify.signing import OWN_AUDITOR, read_auditor_key
from verify.store import Store

MEANINGS: Mapping[NotReplayed, str] = {
    "erased": "the evidence was erased, with its person or after its time",
    "changed": "the evidence is not what the audit names: run heyan audit verify",
    "sealed_for_another": "the evidence was sealed for another auditor's key",
    "not_kept": "the session began and was never decided: nothing was kept",
    "test_mode": "of test mode: nobody real",
    "unreadable": "the evidence has another form, or lacks a signal that the candidate weighs",
    "other_contract": "measured with other models than the candidate is for",
    "policy_unknown": "the policy of then is not here any more",
    "measured_otherwise": "the candidate also changes how is measured: cues, views, light or windows",
    "not_reproduced": "the policy of then does not come to the decision of then any more",
}


def replay(
    candidate: Annotated[str, typer.Argument(help="a policy's file; or the version or digest of one that is known")],
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="sessions from this day or time on, UTC"
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="also write the counts into this file; - for standard output alone")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key", help="the auditor's private key; the service's own if it made one")
    ] = None,
) -> None:
    """What would this policy have decided on past sessions? Reads the sealed scores; changes nothing in the store."""
    start = None if since is None else since.replace(tzinfo=UTC)
    with explained(), _progress() as bars:
        settings = load_settings()
        key = read_auditor_key(key_file or settings.data_dir / "keys" / OWN_AUDITOR, private=True)
        policy, found = asyncio.run(_replayed(settings, key, candidate, start, bars))
    if json_file is not None:
        _write(json_file, report(policy, found, since=start))
    if str(json_file) != "-":
        _show(policy, found)


async def _replayed(
    settings: Settings, key: SealingKey, candidate: str, since: datetime | None, bars: Bars
) -> tuple[Policy, Replay]:
    own = _own_text(Path(candidate))
    async with open_store_of(settings) as store:
        history = await policy_changes(store).history()
        policy = checked_policy(named_text(history, candidate) if own is None else own)
        found = await replayed(
            store,
            await own_vault(settings, store),
            key=key,
            candidate=policy,
            known=policies_known(history),
            since=0.0 if since is None else since.timestamp(),
            progress=await _counting(store, bars),
        )
        return policy, found


def _own_text(path: Path) -> str | None:
    """None if there is no such file: then it is a name."""
    return read_policy(read_file(path)) if path.is_file() else None


async def _counting(store: Store, bars: Bars) -> Progress:
    task = bars.add_task("cases", total=(await Oversight(store).size()).all_cases)
    return lambda count: bars.update(task, completed=count)


def report(policy: Policy, found: Replay, *, since: datetime | None) -> dict[str, Any]:
    """The counts as JSON."""
    return {
        "candidate": {"version": policy.version, "contract": policy.contract},
        "since": None if since is None else since.isoformat(),
        "cases": found.cases,
        "cases_left_out": found.damaged,
        "replayed": found.sessions,
        "changed": found.changed,
        "not_replayed": dict(sorted(found.not_replayed.items())),
        "decisions": [
            {"action": each.action, "before": _verdict(each.before), "after": _verdict(each.after), "count": count}
            for each, count in sorted(found.rejudged.items(), key=lambda pair: (pair[0].action, str(pair)))
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, str | None]:
    return {"outcome": verdict.outcome.lower(), "reason": verdict.reason, "signal": verdict.signal}


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    if str(path) == "-":
        typer.echo(text)
        return
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise bad_input("file_unwritable", f"{path}: {error.strerror}; give a path that can be written") from None


def _show(policy: Policy, found: Replay) -> None:
    console = Console()
    if found.sessions:
        for table in (_outcomes(found), _reasons(found), _actions(found)):
            show_table(table)
    console.print(
        f"{found.sessions} sessions of {found.cases} cases judged anew by {policy.version}: {found.changed} would have "
        "another outcome",
        highlight=False,
        soft_wrap=True,
    )
    left_out = sum(found.not_replayed.values())
    console.print(f"{left_out} sessions could not be replayed", style="yellow" if left_out else "", highlight=False)
    for reason, count in sorted(found.not_replayed.items()):
        console.print(f"  {count} {reason}: {MEANINGS[reason]}", highlight=False, soft_wrap=True)
    if found.damaged:
        advice = f"{found.damaged} cases were left out, their record or chain does not hold: run heyan audit verify"
        console.print(advice, style="red", highlight=False, soft_wrap=True)


def _outcomes(found: Replay) -> Table:
    counts = Counter[tuple[str, str]]()
    for each, count in found.rejudged.items():
        counts[each.before.outcome.lower(), each.after.outcome.lower()] += count
    table = Table("outcome then", "by the candidate", "sessions", title="outcomes")
    for (before, after), count in sorted(counts.items()):
        table.add_row(before, after if before == after else f"[yellow]{after}", str(count))
    return table


def _reasons(found: Replay) -> Table:
    counts = Counter[tuple[str, str]]()
    for each, count in found.rejudged.items():
        counts[_words(each.before), _words(each.after)] += count
    table = Table("reason and signal then", "by the candidate", "sessions", title="reasons")
    for (before, after), count in sorted(counts.items()):
        table.add_row(before, after if before == after else f"[yellow]{after}", str(count))
    return table


def _actions(found: Replay) -> Table:
    sessions, before, after = Counter[str](), Counter[str](), Counter[str]()
    for each, count in found.rejudged.items():
        sessions[each.action] += count
        before[each.action] += count * (each.before.outcome == "Accepted")
        after[each.action] += count * (each.after.outcome == "Accepted")
    table = Table("action", "sessions", "accepted then", "by the candidate", title="actions")
    for action in sorted(sessions):
        table.add_row(action, str(sessions[action]), str(before[action]), str(after[action]))
    return table


def _words(verdict: Verdict) -> str:
    return " ".join(part for part in (verdict.outcome.lower(), verdict.reason, verdict.signal) if part)


@contextmanager
def _progress() -> Iterator[Bars]:
    """Cases that were looked at, of all, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield bars
