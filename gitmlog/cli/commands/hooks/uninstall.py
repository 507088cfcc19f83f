"""gitmlog hooks uninstall."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json


@click.command("uninstall")
@click.option("--drivers", is_flag=True, help="Take the diff and merge drivers out of git's configuration, too.")
@json_option
@pass_app
def command(app: App, drivers: bool, as_json: bool) -> None:
    """Take gitmlog's hooks away; what was there before them is put back.

    \b
    Examples:
      gitmlog hooks uninstall
      gitmlog hooks uninstall --drivers
    """
    from gitmlog.git.hookplace import hook_place
    from gitmlog.ops.hooks.drivers import uninstall_drivers
    from gitmlog.ops.hooks.install import uninstall

    place = hook_place(app.base)
    gone = uninstall(place)
    if drivers:
        uninstall_drivers(place)
    if as_json:
        echo_json({"removed": gone, "folder": place.hooks})
        return
    app.say(f"removed from {place.hooks}: {', '.join(gone)}" if gone else "no hook of gitmlog's is installed")
