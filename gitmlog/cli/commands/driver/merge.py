"""gitmlog driver merge."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("merge")
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.argument("width", type=click.IntRange(1, 1000))
@click.argument("name")
@pass_app
def command(app: App, base: Path, ours: Path, theirs: Path, width: int, name: str) -> int:
    """Merge the metafiles OURS and THEIRS, whose ancestor is BASE, into OURS; NAME is its path.

    A fact that one side alone changed is taken over; directories are merged path by path, by the listings in the cache. Exit code
    1, and both sides between markers of WIDTH signs in OURS, when both changed the same.

    \b
    Examples:
      gitmlog driver merge base ours theirs 7 model.pt.gitmlog
    """
    from gitmlog.ops.drivers import merge_files

    settled = merge_files(app.workspace, app.base / base, app.base / ours, app.base / theirs, name, width, _other())
    return 0 if settled else 1


def _other() -> str:
    """The commit that `git merge` brings in: it names it in the environment alone until it is done."""
    names = (name.removeprefix("GITHEAD_") for name in os.environ if name.startswith("GITHEAD_"))
    return next((name for name in names if re.fullmatch("[0-9a-f]{40,64}", name)), "")
