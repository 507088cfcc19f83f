"""gitmlog hooks status."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json

_WORDS = {
    "installed": "installed",
    "outdated": "installed by another version of gitmlog: gitmlog hooks install",
    "called": "called by the hook that is there",
    "absent": "not installed: gitmlog hooks install",
    "foreign": "somebody else's: gitmlog hooks install keeps it, and calls it first",
}


@click.command("status")
@click.option("--exit-code", is_flag=True, help="Exit with 4 when any is not in place.")
@json_option
@pass_app
def command(app: App, exit_code: bool, as_json: bool) -> int:
    """Show which hooks are in place, where, and which Python they start.

    \b
    Examples:
      gitmlog hooks status
      gitmlog hooks status --exit-code || gitmlog hooks install
    """
    from gitmlog.git.hookplace import hook_place
    from gitmlog.ops.hooks.drivers import has_drivers
    from gitmlog.ops.hooks.install import python_of, status

    place = hook_place(app.base)
    found, python, drivers = status(place), python_of(place), place.bare or has_drivers(place)
    if as_json:
        echo_json({"folder": place.hooks, "python": python, "hooks": found, "drivers": drivers})
    else:
        echo(f"folder: {place.hooks}")
        echo(f"python: {python or 'the gitmlog on PATH'}")
        for each in found:
            echo(f"{each.name}: {_WORDS[each.state]}{', after the one that was there before' if each.chained else ''}")
        if not drivers:
            echo("diff and merge drivers: not set up: gitmlog init")
    return 4 if exit_code and not (drivers and all(each.state in ("installed", "called") for each in found)) else 0
