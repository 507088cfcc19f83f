"""gitmlog hook prepare-commit-msg."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitmlog.cli.commands.hook.pre_commit import committed_index
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App


@click.command("prepare-commit-msg")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("source", required=False)
@click.argument("commit", required=False)
@pass_app
def command(app: App, file: Path, source: str | None, commit: str | None) -> None:  # noqa: ARG001 - git gives it
    """Add to the message FILE of a commit what happens to models, datasets and runs.

    A message that was given (by -m, -F, or by a merge) gets a paragraph; in an editor it stands among the comments. A commit
    that is amended, picked, reverted or rebased keeps its message. Off: gitmlog config hooks.message off

    \b
    Examples:
      gitmlog hook prepare-commit-msg .git/COMMIT_EDITMSG message
    """
    from gitmlog.ops.hooks.message import comment_sign, is_replayed, summary, with_summary

    ws = app.workspace
    source = source or os.environ.get("PRE_COMMIT_COMMIT_MSG_SOURCE", "")
    if ws.config.get("hooks.message") == "off" or source == "commit" or is_replayed(ws):
        return
    path = app.base / file
    before = path.read_text("utf-8", "surrogateescape")
    asked = source in ("", "template")
    after = with_summary(before, summary(ws, committed_index()), as_comment=asked, sign=comment_sign(ws))
    if after != before:
        path.write_text(after, "utf-8", "surrogateescape")
