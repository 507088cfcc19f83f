"""gitmlog driver: a group; each driver is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {"Drivers": {"merge": "Merge two versions of a metafile."}}


@click.group("driver", cls=LazyGroup, package=__name__, sections=SECTIONS)
def command() -> None:
    """What git calls for files that .gitattributes names; `gitmlog init` tells git how.

    \b
    Examples:
      gitmlog driver merge base ours theirs 7 model.pt.gitmlog
    """
