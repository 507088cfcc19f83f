"""gitmlog demo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App, echo
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.demo import Event

INTERRUPTED = 130


@click.command("demo")
@click.argument("folder", default="gitmlog-demo", metavar="[DIR]", type=click.Path(file_okay=True))
@pass_app
def command(app: App, folder: str) -> int:
    """Play the whole story in a new repository: data, two models, a remote, a colleague, a rollback, runs.

    Every command is shown and really run, below DIR (default: gitmlog-demo), which must be empty or not there yet. Nothing
    outside DIR is touched and no network is used; your own git settings take no part. What it made stays, to play with.

    \b
    Examples:
      gitmlog demo
      gitmlog demo /tmp/try-gitmlog
    """
    from gitmlog.ops.demo import Event, play, prepare
    from gitmlog.ops.demo_story import AFTERWARDS

    place = prepare(app.base / folder)
    try:
        echo(f"$ cd {display(place)}")
        for event in play(place, os.environ):
            _show(event)
    except KeyboardInterrupt:
        echo(f"interrupted: the demo ends here; what it made is in {display(place)} and can be deleted", err=True)
        return INTERRUPTED
    _show(Event("title", "Your turn"))
    _show(Event("text", "The repository is yours to play with. For example:"))
    for line in (f"cd {display(place / 'project')}", *AFTERWARDS):
        echo(f"  {line}")
    return 0


def _show(event: Event) -> None:
    if event.kind == "title":
        echo("")
        echo(click.style(event.text, bold=True))
    elif event.kind == "command":
        echo(click.style(f"$ {event.text}", fg="cyan"))
    else:
        echo(event.text)
