"""gitmlog hook update."""

from __future__ import annotations

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App
from gitmlog.cli.receive import check_push, new_object


@click.command("update")
@click.argument("ref")
@click.argument("old")
@click.argument("new")
@pass_app
def command(app: App, ref: str, old: str, new: str) -> None:  # noqa: ARG001 - git gives it; what is there is looked up
    """Check one ref of a push: git's hook of this name, for a server that cannot have pre-receive.

    The checks are the same, each ref on its own: some refs of a push may be taken, and others refused. A tag of a stage is
    compared with the branches as they are at that moment.

    \b
    Examples:
      gitmlog hook update refs/heads/main OLD NEW
    """
    check_push(app, [(ref, new_object(new))])
