"""gitmlog ci comment. The host's variables are read here, and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json
from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.ci.hosts import Host

_MAX_BODY = 16 << 20


@click.command("comment")
@click.option("--host", type=click.Choice(["github", "gitlab"]), required=True, help="Whose pipeline this is.")
@click.option("--body", metavar="FILE", type=click.Path(), required=True, help="The Markdown to show; `-` is stdin.")
@json_option
@pass_app
def command(app: App, host: str, body: str, as_json: bool) -> None:
    """Show a report as the one comment of a pull request: made once, then changed.

    It is found again by its first line and by its author: a comment of
    somebody else's is never touched. No repository is needed.

    github reads GITHUB_REPOSITORY, GITHUB_TOKEN, GITMLOG_PR (the number), and
    GITHUB_API_URL; GITMLOG_AUTHOR names the app of a token that is no
    workflow's own. gitlab reads CI_API_V4_URL, CI_PROJECT_ID,
    CI_MERGE_REQUEST_IID and GITMLOG_TOKEN.

    \b
    Examples:
      gitmlog ci comment --host github --body report.md
      gitmlog ci comment --host gitlab --body report.md
    """
    from gitmlog.ops.ci.comment import post

    data = sys.stdin.buffer.read(_MAX_BODY + 1) if body == "-" else _read(app.base / body)
    if len(data) > _MAX_BODY:
        raise UsageError(f"the report has more than {_MAX_BODY:,} bytes", hint="no comment is as long as that")
    done = post(_github() if host == "github" else _gitlab(), data.decode("utf-8", "replace"))
    if as_json:
        echo_json(done)
    else:
        app.say(f"{done.done} comment {done.id}{f': {done.url}' if done.url else ''}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BODY + 1)
    except OSError as error:
        hint = "gitmlog ci report -o report.md writes it"
        raise NotFoundError(f"{display(path)} cannot be read: {error.strerror}", kind="unreadable", hint=hint) from error


def _github() -> Host:
    from gitmlog.ops.ci.hosts import ACTIONS_BOT, GitHub

    return GitHub(
        url=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
        token=os.environ.get("GITHUB_TOKEN", ""),
        repository=os.environ.get("GITHUB_REPOSITORY", ""),
        number=os.environ.get("GITMLOG_PR", ""),
        author=os.environ.get("GITMLOG_AUTHOR") or ACTIONS_BOT,
    )


def _gitlab() -> Host:
    """In a fork's pipeline, the merge request belongs to another project than the pipeline."""
    from gitmlog.ops.ci.hosts import GitLab

    return GitLab(
        url=os.environ.get("CI_API_V4_URL", ""),
        token=os.environ.get("GITMLOG_TOKEN", ""),
        project=os.environ.get("CI_MERGE_REQUEST_PROJECT_ID") or os.environ.get("CI_PROJECT_ID", ""),
        number=os.environ.get("CI_MERGE_REQUEST_IID", ""),
    )
