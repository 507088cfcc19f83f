"""gitmlog runs plot."""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.columns import NARROWEST, plain
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.cli.charts import Look
    from gitmlog.ops.runs.plot import Chart


@click.command("plot")
@click.argument("metric", metavar="METRIC")
@click.argument("runs", nargs=-1, metavar="[RUN]…")
@click.option("--where", metavar="EXPR", help="The newest runs that fulfil a condition.")
@click.option("-o", "--out", metavar="FILE", type=click.Path(dir_okay=False), help="Write a picture: .png, .svg or .html.")
@click.option("--x", "axis", type=click.Choice(["step", "time"]), help="What goes along (default step; of the machine's: time).")
@click.option("--log", is_flag=True, help="A logarithmic scale for the values.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N runs (default 5, of those that are not named).")
@click.option("-f", "--force", is_flag=True, help="Replace a file that is there.")
@json_option
@pass_app
def command(app: App, /, metric: str, runs: tuple[str, ...], out: str | None, force: bool, as_json: bool, **how: Any) -> None:
    """Draw a metric over its steps: of the runs named, else of the newest that have it.

    In the terminal, or with -o as a picture (needs gitmlog[plot]). METRIC may also be one of the machine's: cpu.percent,
    memory.bytes.

    \b
    Examples:
      gitmlog runs plot loss
      gitmlog runs plot acc last last~1 --x time
      gitmlog runs plot loss --where 'params.lr < 0.01' --log -o loss.html
    """
    from gitmlog.ops.runs.plot import gather

    if out is not None:
        from gitmlog.ops.runs.figure import check_format

        check_format(Path(out))
    chart = gather(app.workspace, metric, runs, progress=app.progress, **how)
    if out is not None:
        _save(app, chart, app.base / out, force, as_json)
    elif as_json:
        echo_json(_document(chart))
    else:
        from gitmlog.cli.charts import draw

        for line in draw(chart, _look()):
            echo(line)
    for note in chart.notes:
        app.note(plain(note))


def _save(app: App, chart: Chart, path: Path, force: bool, as_json: bool) -> None:
    from gitmlog.ops.runs.figure import save

    save(chart, path, force=force)
    if as_json:
        echo_json({"written": path})
    else:
        app.say(f"written: {display(path.relative_to(app.base) if path.is_relative_to(app.base) else path)}")


def _document(chart: Chart) -> dict[str, Any]:
    from gitmlog.runs.stored import plain_value

    lines = [
        {"run": line.run, "label": line.label}
        | {name: plain_value(getattr(line, name)) for name in ("last", "min", "max", "count")}
        | {name: [None if math.isnan(each) else each for each in getattr(line, name)] for name in ("x", "y")}
        for line in chart.lines
    ]
    return {"metric": chart.metric, "x": chart.axis, "log": chart.log, "runs": lines, "notes": list(chart.notes)}


def _look() -> Look:
    from gitmlog.cli.charts import Look

    size = shutil.get_terminal_size((80, 24))
    terminal = sys.stdout.isatty()
    color = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return Look(max(NARROWEST, size.columns), max(12, size.lines - 1), color, _has_unicode())


def _has_unicode() -> bool:
    """Whether braille can be written: not where the encoding lacks it, nor where the locale was chosen to be plain ASCII."""
    chosen = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := os.environ.get(name))), "")
    try:
        "⠿┤".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return chosen not in ("C", "POSIX")
