"""gitmlog ci init."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitmlog import __version__
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json

if TYPE_CHECKING:
    from gitmlog.ops.ci.init import HostName

_NEXT = {
    "github": ["it starts to work when it is on the default branch: commit it, and push it there"],
    "gitlab": [
        "commit it, and push it to the default branch",
        "for the note on a merge request: a project access token (api, Reporter) as the CI/CD variable GITMLOG_TOKEN, masked",
    ],
}


@click.command("init")
@click.argument("host", type=click.Choice(["github", "gitlab"]))
@click.option("-f", "--force", is_flag=True, help="Replace a workflow that is there and is another one.")
@json_option
@pass_app
def command(app: App, host: HostName, force: bool, as_json: bool) -> None:
    """Write the workflow that reports on pull requests; it is yours to commit.

    github: .github/workflows/gitmlog.yml. gitlab: .gitlab/gitmlog.yml, and
    .gitlab-ci.yml when there is none. It installs the version of gitmlog that
    wrote it; run this again with --force after an upgrade.

    \b
    Examples:
      gitmlog ci init github
      gitmlog ci init gitlab --force
    """
    from gitmlog.ops.ci.init import init

    done = init(app.workspace, host, __version__, force=force)
    if as_json:
        echo_json(done)
        return
    for path in done.written:
        app.say(f"wrote {path}")
    for path in sorted(done.unchanged):
        app.say(f"{path} is up to date")
    if done.to_add:
        app.say(f".gitlab-ci.yml is yours; add there:\n\n{done.to_add}")
    for line in _NEXT[host] if done.written or done.to_add else ():
        app.say(f"next: {line}")
