"""The attack range as a table, a page and a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.attack_range import Figures, Tally
from benchmarks.attacks.catalogue import NONE, NOT_MEASURED, SPECIES, Species
from models.engine import ATTACK_DETECTOR

Measured = Mapping[str, Figures]

OPEN_FROM = 0.07
"""Upper bound of an IAPAR from which a species counts as an open hole (NIST SP 800-63A-4 asks for less)."""
MEANT_SHARE = 0.8
"""Of the attempts without a countermeasure that must pass if the figure is to say something of it."""

INTRODUCTION = """# Liveness: what was tried, and what passed

Written by `{command}`; not edited by hand. Policy `{policy}`, frozen for all rows; passive attack detection by
`{network}`.

IAPAR: share of attempts that were accepted as the victim (ISO/IEC 30107-3); its upper bound is Clopper-Pearson's at
95 %, on people and not on attempts. *Three tries*: people of whom one of the three attempts of a link passed, the later
two without light cues. *Without light*: attempts that opted out of light cues. *Unguarded*: attempts that pass once the
countermeasure that is meant for the species is switched off; an attack that fails anyway proves nothing. Where geometry
is switched off, every face is taken for a plane, also while the cues are answered; where cues are, the attacker knows
the script. *Held out*: drawn by a renderer, or seen by a camera, that was written after the last line of the policy had
been set, and that no line was set on since; lines were set with all others in sight. *Over the network*: a few more
attempts in real time, on a service of its own process, over HTTP and WebSocket. *Open hole*: known not to be stopped,
or with an upper bound above 7 %.

Everything here is rendered and goes through the service's own path on a simulated clock: figures of a laboratory
without people, printers and screens. They bound nothing about what was not tried.
"""


def as_json(attacks: Measured, bona_fide: Figures, by_condition: Measured, *, policy: str) -> dict[str, Any]:
    """For machines."""
    return {
        "policy": policy,
        "species": {name: _content(name, each) for name, each in attacks.items()},
        "not_measured": list(NOT_MEASURED),
        "bpcer": 1 - bona_fide.share,
        "bpcer_upper_95": bona_fide.rejected_upper,
        "bona_fide": {"attempts": bona_fide.attempts, "people": bona_fide.people, "reasons": dict(bona_fide.reasons)},
        "bpcer_by_condition": {name: 1 - each.share for name, each in by_condition.items()},
    }


def as_table(attacks: Measured, bona_fide: Figures) -> Table:
    """For people at a terminal."""
    columns = (
        "species",
        "passes",
        "IAPAR",
        "95 % upper",
        "three tries",
        "no light",
        "unguarded",
        "network",
        "decided by",
    )
    table = Table(*columns, title="attacks and bona fide people")
    for name, each in attacks.items():
        table.add_row(name, *_cells(each), _reasons(each))
    spread = f"{1 - bona_fide.share:.1%}", f"{bona_fide.rejected_upper:.1%}"
    accepted = f"{bona_fide.passes}/{bona_fide.attempts}"
    table.add_row(
        "[bold]bona fide: BPCER", accepted, *spread, "", "", "", _counted(bona_fide.real_time), _reasons(bona_fide)
    )
    return table


def as_page(attacks: Measured, bona_fide: Figures, by_condition: Measured, *, policy: str, command: str) -> str:
    """Markdown; written by the command alone."""
    rows = [
        f"| {_title(SPECIES[name], each)} | {SPECIES[name].shows} | {each.attempts} | {each.people} | {each.passes} "
        f"| {each.share:.1%} | {each.upper:.1%} | {_counted(each.allowance)} | {_counted(each.without_light)} "
        f"| {_unguarded(name, each)} | {_counted(each.real_time)} | {_reasons(each)} |"
        for name, each in attacks.items()
    ]
    conditions = [f"| {name} | {each.attempts} | {1 - each.share:.1%} |" for name, each in by_condition.items()]
    return "\n".join(
        [
            INTRODUCTION.format(command=command, policy=policy, network=ATTACK_DETECTOR),
            "![attacks](liveness-report.png)",
            "",
            "| species | shows | attempts | faces | passes | IAPAR | 95 % upper | three tries | without light "
            "| unguarded | over the network | decided by |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            *_remarks(attacks),
            f"*Not measured*: {', '.join(NOT_MEASURED)}.",
            "",
            f"## Bona fide people: BPCER {1 - bona_fide.share:.1%}, at most {bona_fide.rejected_upper:.1%} (95 %)",
            "",
            f"{bona_fide.attempts} sessions of {bona_fide.people} rendered people, single attempts. "
            f"Not accepted: {_reasons(bona_fide)}. Over the network: {_counted(bona_fide.real_time)} accepted.",
            "",
            "| condition | sessions | BPCER |",
            "|---|---|---|",
            *conditions,
            "",
        ]
    )


def draw(attacks: Measured, bona_fide: Figures, path: Path) -> None:
    """A bar for each species up to its upper bound; the measured share as a dot."""
    figure = Figure(figsize=(9, 0.34 * len(attacks) + 1.6), dpi=120, layout="constrained")
    axes = figure.subplots()
    names = [*attacks, "bona fide (BPCER)"]
    shares = [each.share for each in attacks.values()] + [1 - bona_fide.share]
    uppers = [each.upper for each in attacks.values()] + [bona_fide.rejected_upper]
    colours = ["tab:orange" if is_open(name, each) else "tab:blue" for name, each in attacks.items()] + ["tab:green"]
    axes.barh(names, uppers, color=colours, alpha=0.35, label="95 % upper bound")
    axes.plot(shares, names, "k.", label="measured")
    axes.set(xlim=(0, 1), xlabel="share accepted (attacks), share not accepted (bona fide)", title="Attack range")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    figure.savefig(path)


def _content(name: str, each: Figures) -> dict[str, Any]:
    return {
        "open_hole": is_open(name, each),
        "attempts": each.attempts,
        "people": each.people,
        "passes": each.passes,
        "iapar": each.share,
        "iapar_upper_95": each.upper,
        "allowance_people": each.allowance.attempts,
        "allowance_passes": each.allowance.passes,
        "without_light_attempts": each.without_light.attempts,
        "without_light_passes": each.without_light.passes,
        "unguarded_attempts": each.unguarded.attempts,
        "unguarded_passes": each.unguarded.passes,
        "real_time_attempts": each.real_time.attempts,
        "real_time_passes": each.real_time.passes,
        "reasons": dict(each.reasons),
    }


def _cells(each: Figures) -> tuple[str, ...]:
    counted = (_counted(tally) for tally in (each.allowance, each.without_light, each.unguarded, each.real_time))
    return f"{each.passes}/{each.attempts}", f"{each.share:.1%}", f"{each.upper:.1%}", *counted


def _counted(tally: Tally) -> str:
    return f"{tally.passes}/{tally.attempts}" if tally.attempts else "–"


def is_open(name: str, each: Figures) -> bool:
    """Whether a species is known not to be stopped, or may pass more often than is allowed by what was measured."""
    return SPECIES[name].open_hole or each.upper > OPEN_FROM


def _remarks(attacks: Measured) -> list[str]:
    """What is open, and which figures say little of the countermeasure because the attack fails without it as well."""
    holes = [name for name, each in attacks.items() if is_open(name, each)]
    failing = [name for name, each in attacks.items() if each.unguarded.attempts and each.unguarded.share < MEANT_SHARE]
    return [
        f"**Open holes**: {', '.join(holes) or 'none'}.",
        "",
        f"*Fail mostly also without the countermeasure that is meant for them*, stopped by another: "
        f"{', '.join(failing) or 'none'}.",
        "",
    ]


def _title(species: Species, each: Figures) -> str:
    marks = [
        mark for mark, holds in (("open hole", is_open(species.name, each)), ("held out", species.held_out)) if holds
    ]
    return f"{species.name} ({', '.join(marks)})" if marks else species.name


def _unguarded(name: str, each: Figures) -> str:
    measure = SPECIES[name].countermeasure
    return "–" if measure == NONE else f"{_counted(each.unguarded)} without {measure}"


def _reasons(each: Figures) -> str:
    others = sorted(((count, reason) for reason, count in each.reasons.items() if reason != "accepted"), reverse=True)
    return ", ".join(f"{reason} {count}" for count, reason in others) or "–"
