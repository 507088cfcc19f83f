"""gitmlog hook post-rewrite."""

from __future__ import annotations

import click

from gitmlog.cli.followed import bring_along
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("post-rewrite")
@click.argument("command_name", metavar="COMMAND", required=False)
@pass_app
def command(app: App, command_name: str | None) -> None:  # noqa: ARG001 - git gives it
    """Bring the files along whose metafiles a rebase changed.

    As `gitmlog hook post-checkout`; what was before is ORIG_HEAD.

    \b
    Examples:
      gitmlog hook post-rewrite rebase
    """
    bring_along(app, "ORIG_HEAD")
