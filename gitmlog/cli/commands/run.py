"""gitmlog run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App, echo

if TYPE_CHECKING:
    from gitmlog.ops.runs.launch import Streams
    from gitmlog.runs.record import ParamValue


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-n", "--name", metavar="NAME", help="A name of your own for the run.")
@click.option("-p", "--param", "params", multiple=True, metavar="K=V", help="A parameter; `{K}` in the command stands for it.")
@click.option("-i", "--input", "inputs", multiple=True, metavar="PATH", help="What it reads: its version is recorded.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="PATH", help="What it writes: kept as a tracked path.")
@click.option("--metrics", metavar="FILE", help="A JSON, YAML, TOML or CSV file that it writes its metrics to.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A word of your own about the run.")
@click.argument("cmd", nargs=-1, required=True, metavar="CMD…", type=click.UNPROCESSED)
@pass_app
def command(
    app: App,
    name: str | None,
    params: tuple[str, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    metrics: str | None,
    tags: tuple[str, ...],
    cmd: tuple[str, ...],
) -> int:
    """Run a program in any language, and record it: code, data, parameters, environment, metrics, output, result.

    The run is one commit and one tag, run/ID; neither branch, index nor working tree move. The program's output passes through
    and is kept, its exit code is ours. Ctrl-C makes the run KILLED, and it is recorded all the same.

    \b
    Parameters   -p lr=0.1 reaches the program as {lr} in the command and as the environment variable GITMLOG_PARAM_LR
    Metrics      lines `metric acc=0.93 step=3` on standard output; a file (--metrics); in Python gitmlog.log_metric, which
                 needs no start_run here, and a start_run that is there joins this run

    \b
    Examples:
      gitmlog run -- python train.py --lr 0.1
      gitmlog run -n baseline -p lr=0.1 -i data -o model.pt -- python train.py --lr {lr}
      gitmlog run --metrics metrics.json -t team=vision -- ./train.sh
    """
    from pathlib import Path

    from gitmlog.ops.runs.launch import Launch, launch

    how = Launch(
        command=cmd,
        name=name,
        params={key: _value(text) for key, text in _pairs("-p", params).items()},
        inputs=inputs,
        outputs=outputs,
        metrics=metrics,
        tags=_pairs("-t", tags),
        folder=Path(app.base),
    )
    done = launch(app.workspace, how, os.environ, _streams(), lambda text: echo(f"gitmlog: {text}", err=True))
    recorded = done.live.recorded
    if recorded is not None:
        from gitmlog.runs.tags import duration

        record = recorded.record
        app.note(f"recorded {record.tag}: {record.status} in {duration(record.seconds)}")
    return done.code


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} {text}: write it as KEY=VALUE")
        if key in found:
            raise click.UsageError(f"{option} {key} is given twice")
        found[key] = value
    return found


def _value(text: str) -> ParamValue:
    """Numbers and booleans are those; everything else is text."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if "_" not in text and (not isinstance(value, int) or (str(value) == text.removeprefix("+") and abs(value) < 1 << 63)):
            return value
    return text


def _streams() -> Streams:
    from gitmlog.ops.runs.launch import Streams

    def passing_to(fd: int) -> object:
        from gitmlog.core.atomic import write_all

        return lambda data: write_all(fd, data)

    out, err = _descriptor(sys.stdout, 1), _descriptor(sys.stderr, 2)
    return Streams(
        passing_to(out),  # type: ignore[arg-type]
        passing_to(err),  # type: ignore[arg-type]
        out if os.isatty(out) else None,
        err if os.isatty(err) else None,
    )


def _descriptor(stream: object, default: int) -> int:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return default
