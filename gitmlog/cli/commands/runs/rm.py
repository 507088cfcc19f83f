"""gitmlog runs rm."""

from __future__ import annotations

import click

from gitmlog.cli.columns import plain
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json


@click.command("rm")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("-f", "--force", is_flag=True, help="Say nothing about what goes with it.")
@json_option
@pass_app
def command(app: App, runs: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Remove runs: their tags. What nothing else reaches goes with the next `gitmlog gc --prune` and `git gc`.

    The command that brings a run back is printed; it works until git and gitmlog have collected their garbage.

    \b
    Examples:
      gitmlog runs rm 20261123-091502-swift-otter
      gitmlog runs rm last
    """
    from gitmlog.ops.runs.remove import remove

    removed = remove(app.workspace, runs)
    if as_json:
        echo_json(removed)
        return
    for each in removed:
        app.say(f"removed {each.run}; to bring it back:\n  {each.undo}")
        if force:
            continue
        if each.kept:
            app.note(f"{each.run}: its commit is part of a branch or tag: nothing else goes")
        else:
            app.note(f"{each.run}: what only this run has stays until `git gc` and `gitmlog gc --prune` take it")
        for command in each.there:
            app.note(f"a git remote may have it still: {plain(command)}")
