"""gitmlog hook post-merge."""

from __future__ import annotations

import click

from gitmlog.cli.followed import bring_along
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("post-merge")
@click.argument("squash", required=False)
@pass_app
def command(app: App, squash: str | None) -> None:  # noqa: ARG001 - git gives it
    """Bring the files along whose metafiles a merge or a pull changed.

    As `gitmlog hook post-checkout`; what was before is ORIG_HEAD.

    \b
    Examples:
      gitmlog hook post-merge 0
    """
    bring_along(app, ["ORIG_HEAD"])
