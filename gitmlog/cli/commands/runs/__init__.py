"""gitmlog runs: a group; each command below it is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {
    "Look": {},
    "Keep": {},
}


@click.group("runs", cls=LazyGroup, package=__name__, sections=SECTIONS, aliases={"ls": "list", "remove": "rm"})
def command() -> None:
    """List, compare, plot and keep runs.

    A run is one commit and one tag, run/ID (gitmlog help run). It is named by its id, a unique prefix of it, its name, `last`,
    `last~2` (the one before the one before), or `best:metrics.acc`.

    \b
    Examples:
      gitmlog runs --help
    """
