"""gitmlog runs log."""

from __future__ import annotations

import re
import sys

import click

from gitmlog.cli.columns import harmless
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])")


@click.command("log")
@click.argument("run", metavar="RUN")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="The last N lines only.")
@json_option
@pass_app
def command(app: App, run: str, tail: int | None, as_json: bool) -> None:
    """Print what a run wrote to standard output and error, and the traceback that made it fail.

    To a file or a program it goes byte for byte; on a terminal without colours and other codes, and of a line that was
    written over (a progress bar) only its last state.

    \b
    Examples:
      gitmlog runs log last
      gitmlog runs log baseline --tail 20
      gitmlog runs log last > train.log
    """
    from gitmlog.ops.runs.details import whole_log
    from gitmlog.ops.runs.find import find

    found = find(app.workspace, run)
    data = whole_log(app.workspace, found, app.progress)
    if tail is not None:
        data = (
            b"".join(re.findall(rb"[^\n]*\n|[^\n]+", data)[-tail:]) if tail else b""
        )  # not splitlines: that ends lines at \r too
    if as_json:
        echo_json({"id": found.record.id, "name": found.record.name, "log": data.decode("utf-8", "replace")})
    elif sys.stdout.isatty():
        for line in for_terminal(data.decode("utf-8", "replace")):
            echo(line)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def for_terminal(text: str) -> list[str]:
    """The lines as a terminal would have left them, without codes that it would obey."""
    lines = _ESCAPE.sub("", text).split("\n")
    return [
        harmless(next((part for part in reversed(line.split("\r")) if part), ""))
        for line in (lines[:-1] if not lines[-1] else lines)
    ]
