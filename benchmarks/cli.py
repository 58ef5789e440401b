"""The command line `heyan-bench`: the demo, and the measurements. Bad input ends in a message, never in a traceback."""

import typer

from benchmarks.commands import (
    attacks,
    calibrate,
    capacity,
    contention,
    degradations,
    demo,
    fairness,
    faults,
    memory,
    models_compare,
    networks,
    pad,
    pairs,
    peers,
    pipeline,
    quality,
    scale,
    service,
    tokens,
    train_pad,
)

app = typer.Typer(
    name="heyan-bench",
    help="Measure heyan: accuracy, latency, attacks; and show its main job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(demo.demo)
app.command()(pairs.pairs)
app.command()(calibrate.calibrate)
app.command()(fairness.fairness)
app.command()(degradations.degradations)
app.command()(models_compare.models_compare)
app.command()(quality.quality)
app.command()(pipeline.pipeline)
app.command()(networks.networks)
app.command()(peers.peers)
app.command()(attacks.attacks)
app.command()(contention.contention)
app.command()(faults.faults)
app.command()(service.service)
app.command("scale")(scale.scale_command)
app.command()(memory.memory)
app.command()(capacity.capacity)
app.command()(tokens.tokens)
app.command()(pad.pad)
app.command()(train_pad.train_pad)


@app.callback()
def root() -> None:
    """Measure heyan: accuracy, latency, attacks; and show its main job."""


def main() -> None:
    """Entry point of the `heyan-bench` script."""
    app()
