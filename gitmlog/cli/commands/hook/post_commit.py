"""gitmlog hook post-commit."""

from __future__ import annotations

import click

from gitmlog.cli.followed import bring_along
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("post-commit")
@pass_app
def command(app: App) -> None:
    """Bring the files along whose metafiles `git revert` or `git cherry-pick` changed.

    As `gitmlog hook post-checkout`; what was before is HEAD~1. Of any other commit the files are those that were committed.

    \b
    Examples:
      gitmlog hook post-commit
    """
    bring_along(app, ["HEAD~1"], newer=True)
