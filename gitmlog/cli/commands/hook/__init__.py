"""gitmlog hook: a group; each command below it is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {
    "On a server": {
        "pre-receive": "Check a push before it is taken.",
        "update": "Check one ref of a push.",
    },
}


@click.group("hook", cls=LazyGroup, package=__name__, sections=SECTIONS)
def command() -> None:
    """What git's hooks call. Nobody needs to type these.

    \b
    Examples:
      gitmlog hook pre-receive < updates
    """
