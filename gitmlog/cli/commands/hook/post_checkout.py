"""gitmlog hook post-checkout."""

from __future__ import annotations

import os

import click

from gitmlog.cli.followed import bring_along
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("post-checkout")
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.argument("flag", required=False)
@pass_app
def command(app: App, old: str | None, new: str | None, flag: str | None) -> None:
    """Bring the files along whose metafiles a checkout changed.

    OLD and NEW are the commits before and after; FLAG is 1 when a branch was checked out, 0 for single files. The network is used
    only when told to: gitmlog config hooks.checkout fetch

    \b
    Examples:
      gitmlog hook post-checkout HEAD~1 HEAD 1
    """
    whole = (flag or os.environ.get("PRE_COMMIT_CHECKOUT_TYPE", "1")) != "0"
    before = old or os.environ.get("PRE_COMMIT_FROM_REF", "")
    bring_along(app, [before] if whole and before and before != new else [])
