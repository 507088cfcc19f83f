"""gitmlog init."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json


@click.command("init")
@json_option
@pass_app
def command(app: App, as_json: bool) -> None:
    """Prepare the git repository that you are in. May be run again at any time.

    Nothing is committed and none of your files is touched: the cache is made below the git directory, out of reach of git clean.

    \b
    Examples:
      git init demo && cd demo && gitmlog init
    """
    from gitmlog.ops.init import init

    done = init(app.workspace)
    if as_json:
        echo_json(done)
        return
    app.say(f"{'ready' if done.created else 'ready (as before)'}: {done.root}")
    app.say(f"cache: {done.cache}")
