"""gitmlog hooks: a group; each command below it is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {
    "Hooks": {
        "install": "Put git's hooks in place.",
        "uninstall": "Take them away again.",
        "status": "Show which are in place.",
    },
}


@click.group("hooks", cls=LazyGroup, package=__name__, sections=SECTIONS)
def command() -> None:
    """Put git's hooks in place, and away. What they do: gitmlog help hooks.

    \b
    Examples:
      gitmlog hooks status
      gitmlog hooks install
    """
