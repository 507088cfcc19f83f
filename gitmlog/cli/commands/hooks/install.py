"""gitmlog hooks install."""

from __future__ import annotations

import sys

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json


@click.command("install")
@click.option("--update", is_flag=True, help="On a server: the hook `update` (a ref at a time) instead of pre-receive.")
@json_option
@pass_app
def command(app: App, update: bool, as_json: bool) -> None:
    """Put git's hooks in place; in a bare repository, those of a server. May be run again at any time.

    They go where git looks for them (core.hooksPath is respected), and serve all working trees. A hook that is there already is
    kept as NAME.before-gitmlog, and is called first.

    \b
    Examples:
      gitmlog hooks install
      gitmlog -C /srv/git/demo.git hooks install
    """
    from gitmlog.core.errors import UsageError
    from gitmlog.git.hookplace import hook_place
    from gitmlog.ops.hooks.install import install

    place = hook_place(app.base)
    if update and not place.bare:
        raise UsageError("--update is for a bare repository on a server", hint="gitmlog hooks install")
    done = install(place, sys.executable, update=update)
    if as_json:
        echo_json(done)
        return
    app.say(f"{', '.join(each.name for each in done.hooks)}: installed in {done.folder}")
    for name in done.chained:
        app.note(f"the {name} hook that was there is kept as {name}.before-gitmlog, and is called first if it can be run")
    if place.is_in_worktree:
        app.note("they are in the working tree (core.hooksPath): commit them, so that others have them too")
    elif not place.is_own:
        app.note("core.hooksPath leads out of this repository: whatever else uses that folder gets the hooks too")
