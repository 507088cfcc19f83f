"""gitmlog get."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json, human_size, plural
from gitmlog.core.paths import display


@click.command("get")
@click.argument("repo", metavar="REPO")
@click.argument("path", metavar="PATH")
@click.option("--rev", metavar="REV", help="A branch, tag or commit (default: HEAD).")
@click.option("-o", "--out", metavar="OUT", type=click.Path(), help="Where to write it (default: its own name, here).")
@click.option("-f", "--force", is_flag=True, help="Replace what lies at OUT.")
@json_option
@pass_app
def command(app: App, repo: str, path: str, rev: str | None, out: str | None, force: bool, as_json: bool) -> None:
    """Take a file or directory out of another repository; works outside any repository.

    REPO is a folder or any address that git clones. PATH counts from its top: a tracked file or directory, a part of one, or a
    file that git keeps itself. The objects come from that repository's own cache or its remote, with your credentials.

    \b
    Examples:
      gitmlog get https://example.org/team/models.git model.safetensors
      gitmlog get ../models data/train --rev v1.2 -o train
      gitmlog get git@example.org:team/models.git model.pt --rev main -o /srv/model.pt --force
    """
    from gitmlog.ops.get import get

    got = get(repo, path, app.base, revision=rev, out=out, force=force, user_config=app.user_config, progress=app.progress)
    if as_json:
        echo_json(got)
    else:
        app.say(f"{display(got.path)}  ({plural(got.files, 'file')}, {human_size(got.size)}, commit {got.commit[:12]})")
