"""gitmlog cat."""

from __future__ import annotations

import sys

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("cat")
@click.argument("spec", metavar="[REV:]PATH")
@pass_app
def command(app: App, spec: str) -> None:
    """Print a file of any revision; fetched when it is not in the cache.

    REV:PATH counts from the top of the repository, as git's does (REV:./PATH from here). PATH alone is the version that the
    working tree's metafile names. PATH may be a tracked file, a file in a tracked directory, or a file that git keeps itself.

    The bytes are hashed as they are printed: exit code 5 says that what was printed is damaged.

    \b
    Examples:
      gitmlog cat HEAD~1:model.pt > old.pt
      gitmlog cat v1.2:data/train/labels.csv | head
      gitmlog cat model.pt | sha256sum
    """
    from gitmlog.ops.cat import cat

    for piece in cat(app.workspace, spec, app.base, progress=app.progress):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
