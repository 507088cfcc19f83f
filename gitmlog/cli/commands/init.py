"""gitmlog init."""

from __future__ import annotations

import sys

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json


@click.command("init")
@click.option("--no-hooks", is_flag=True, help="Leave git's hooks alone.")
@click.option("--no-drivers", is_flag=True, help="Leave .gitattributes and git's configuration alone.")
@json_option
@pass_app
def command(app: App, no_hooks: bool, no_drivers: bool, as_json: bool) -> None:
    """Prepare the git repository that you are in. May be run again at any time.

    Makes the cache, below the git directory, out of reach of git clean; puts git's hooks in place (gitmlog help hooks); tells
    git how to show and merge metafiles. Two files are written and staged, to be committed by you: .gitattributes, and
    .gitmlog/unwanted, the list of what should not be logged. Run it in a fresh clone, too: hooks are not cloned.

    \b
    Examples:
      git init demo && cd demo && gitmlog init
      gitmlog init --no-hooks
    """
    from gitmlog.ops.init import init

    done = init(app.workspace, sys.executable, hooks=not no_hooks, drivers=not no_drivers)
    if as_json:
        echo_json(done)
        return
    app.say(f"{'ready' if done.created else 'ready (as before)'}: {done.root}")
    app.say(f"cache: {done.cache}")
    if done.hooks is not None:
        app.say(f"hooks: {done.hooks}")
    if done.staged:
        app.say(f"staged, for you to commit: {', '.join(done.staged)}")
    for note in done.notes:
        app.note(note)
