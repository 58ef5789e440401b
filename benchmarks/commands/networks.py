"""`heyan-bench networks`: what the compile step is worth."""

from collections.abc import Sequence
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.machine import describe_machine
from benchmarks.networks import COMPILED, OPENVINO, PLAIN, WIDE, Raced, openvino_version, race_networks
from benchmarks.photos import portrait_pair
from benchmarks.report.document import Chart, Report, Section
from models.engine import Engine
from models.image import decode_image
from models.prepare import default_data_dir, inventory

OTHERS = {WIDE: "compiled_to_wide", PLAIN: "compiled_to_plain", OPENVINO: "compiled_to_openvino"}

SAID = {PLAIN: "as it comes", OPENVINO: "in OpenVINO"}


def networks(
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved runs")] = 60,
    pack: Annotated[str, typer.Option(help="model pack")] = "open",
) -> None:
    """The networks as they run here, as they come, and in OpenVINO if that is installed; one thread, in turns."""
    cv2.setNumThreads(1)
    with explained():
        data_dir = default_data_dir()
        photo = decode_image(portrait_pair(None, data_dir=data_dir)[0])
        engine = Engine.open(data_dir=data_dir, pack=pack, threads=1)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("interleaved rounds", total=len(inventory(data_dir, pack)) * rounds)
            raced = race_networks(
                photo, data_dir=data_dir, engine=engine, rounds=rounds, advance=lambda: progress.advance(task)
            )
        report = _report(raced, {**describe_machine(engine), "openvino": openvino_version() or "not installed"}, rounds)
        deliver(report, _figures(raced), as_json=as_json, html=html, docs=docs)


def _figures(raced: Sequence[Raced]) -> dict[str, object]:
    return {
        "networks": {
            each.name: {
                **{key: round(each.ratio(way), 4) for way, key in OTHERS.items() if way in each.timed},
                "milliseconds": {way: round(timed.median, 4) for way, timed in each.timed.items()},
                "apart": {way: float(f"{apart:.3g}") for way, apart in each.apart.items()},
            }
            for each in raced
        }
    }


def _report(raced: Sequence[Raced], machine: dict[str, object], rounds: int) -> Report:
    found = [
        f"{each.name}: {each.ratio(way):.2f} of its time {where}"
        for each in raced
        for way, where in SAID.items()
        if way in each.timed
    ]
    return Report(
        command="heyan-bench networks",
        verdict="compiled: " + "; ".join(found),
        sections=tuple(_section(each, rounds) for each in raced),
        machine=machine,
    )


def _section(raced: Raced, rounds: int) -> Section:
    title = f"{raced.name}, a picture of {raced.size[1]} x {raced.size[0]}"
    return Section(
        title=title,
        headings=("way", "median ms", "quartiles apart", "compiled takes, of it", "outputs differ by"),
        rows=tuple(
            (way, f"{timed.median:.3f}", f"{timed.spread:.3f}", _share(raced, way), f"{raced.apart[way]:.1e}")
            for way, timed in raced.timed.items()
        ),
        note=f"{rounds} interleaved rounds, one thread; *{PLAIN}*: the source's graph with its weights as fp32.",
        chart=Chart(
            title=title, unit="milliseconds", series={way: timed.milliseconds for way, timed in raced.timed.items()}
        ),
    )


def _share(raced: Raced, way: str) -> str:
    return "1" if way == COMPILED else f"{raced.ratio(way):.3f}"
