"""gitmlog mv."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json
from gitmlog.core.paths import display


@click.command("mv")
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@json_option
@pass_app
def command(app: App, source: str, target: str, as_json: bool) -> None:
    """Rename a tracked file or directory with its metafile, and stage that. TARGET may be a folder.

    \b
    Examples:
      gitmlog mv model.pt models/churn.pt
      gitmlog mv data datasets/
    """
    from gitmlog.ops.move import move

    done = move(app.workspace, source, target, app.base, progress=app.progress)
    if as_json:
        echo_json(done)
        return
    app.say(f"{display(done.source)} -> {display(done.target)}")
