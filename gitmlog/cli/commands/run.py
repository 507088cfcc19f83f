"""gitmlog run."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App, echo

if TYPE_CHECKING:
    from gitmlog.ops.runs.launch import Launched

_SWITCH = 0.0005
"""Seconds that a thread waits for another one: output passes through while what was printed before is being kept."""


@click.command("run", context_settings={"allow_interspersed_args": False})
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

    The run is one commit and one tag, run/ID; neither branch, index nor working tree move. Words after CMD are the program's.

    \b
    Parameters  -p lr=0.1 stands for {lr} in any word of the command and in
                the paths of -i, -o and --metrics, and is the variable
                GITMLOG_PARAM_LR; {{lr}} is {lr} itself. Inside of
                `sh -c '…'` take the variable: it needs no quoting
    Metrics     lines `metric acc=0.93 step=3` on standard output; a file
                (--metrics); in Python gitmlog.log_metric, with start_run or
                without: both join this run
    Output      passes through byte for byte, and is kept without secrets
                (gitmlog runs log); where you have a terminal, it has one
    Keys        act as without gitmlog: after Ctrl-C the run is KILLED, and
                recorded; after Ctrl-Z, fg goes on with it. A signal that is
                sent to gitmlog alone is passed on
    Exit code   the program's, 128+N for signal N, whatever becomes of the run

    \b
    Examples:
      gitmlog run -- python train.py --lr 0.1
      gitmlog run -p lr=0.1 -i data -o model.pt -- python train.py --lr {lr}
      gitmlog run -n base --metrics metrics.json -t team=vision -- ./train.sh
    """
    from pathlib import Path

    from gitmlog.ops.runs.launch import Launch, Streams, launch

    out, err = _descriptor(sys.stdout, 1), _descriptor(sys.stderr, 2)
    _occupy_standard_descriptors()
    sys.setswitchinterval(_SWITCH)
    how = Launch(
        command=cmd,
        name=name,
        params=_pairs("-p", params),
        inputs=inputs,
        outputs=outputs,
        metrics=metrics,
        tags=_pairs("-t", tags),
        folder=Path(app.base),
    )
    tell = _Teller(quiet=app.quiet)
    done = launch(app.workspace, how, os.environ, Streams(out, err), tell)
    with suppress(OSError):  # the terminal may be gone; the run is recorded
        _report(app, done, tell)
    if done.interrupted:
        app.close()
        _die_of_ctrl_c()
    return done.code


def _occupy_standard_descriptors() -> None:
    """Where we were started without some: no file of ours shall have a number that is written to as if it were a terminal."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)


class _Teller:
    """Warnings of the run, on stderr; when quiet, they are only remembered."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.last = ""

    def __call__(self, text: str) -> None:
        self.last = text
        if not self._quiet:
            with suppress(OSError):
                echo(f"gitmlog: {text}", err=True)


def _report(app: App, done: Launched, tell: _Teller) -> None:
    """The last line names the run; on a terminal it begins a line of its own."""
    live = done.live
    if done.in_line and not app.quiet and sys.stderr is not None and sys.stderr.isatty():
        echo("", err=True)
    if live.recorded is not None:
        from gitmlog.runs.tags import duration

        record = live.recorded.record
        app.note(f"recorded {record.tag}: {record.status} in {duration(record.seconds)}")
    elif app.quiet:
        echo(f"error: {tell.last}", err=True)


def _die_of_ctrl_c() -> None:
    """As the program did: a loop of a shell that ran us ends too, which it does not for an exit code of 130."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


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


def _descriptor(stream: Any, default: int) -> int | None:
    """Where a stream of ours leads; None when it was closed when we were started: that number may be any file now."""
    if stream is None:
        return None
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return default
