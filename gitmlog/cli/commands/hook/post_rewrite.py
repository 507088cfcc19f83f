"""gitmlog hook post-rewrite."""

from __future__ import annotations

import sys

import click

from gitmlog.cli.followed import bring_along
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("post-rewrite")
@click.argument("command_name", metavar="COMMAND", required=False)
@pass_app
def command(app: App, command_name: str | None) -> None:  # noqa: ARG001 - git gives it
    """Bring the files along whose metafiles a rebase changed.

    As `gitmlog hook post-checkout`. git's lines, OLD NEW for each commit, come on standard input: what was before is ORIG_HEAD,
    and the commit below the first NEW, which was checked out meanwhile.

    \b
    Examples:
      gitmlog hook post-rewrite rebase
    """
    lines = [] if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().splitlines()
    below = [f"{line.split()[1]}^" for line in lines[:1] if len(line.split()) > 1]
    bring_along(app, ["ORIG_HEAD", *below], newer=True)
