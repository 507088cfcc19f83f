"""gitmlog hook prepare-commit-msg."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitmlog.cli.commands.hook.pre_commit import committed_index
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App
from gitmlog.core.errors import GitmlogError


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

    source = source or os.environ.get("PRE_COMMIT_COMMIT_MSG_SOURCE", "")
    try:
        ws = app.workspace
        if ws.config.get("hooks.message") == "off" or source == "commit" or is_replayed(ws):
            return
        lines = summary(ws, committed_index())
        sign = "" if source == "message" else comment_sign(ws)  # with -m and -F every line is the message's
    except GitmlogError as error:  # a message without a summary is better than no commit
        app.note(f"the message says nothing of models and data: {error.message}")
        return
    path = app.base / file
    before = path.read_text("utf-8", "surrogateescape")
    after = with_summary(before, lines, as_comment=source in ("", "template"), sign=sign)
    if after != before:
        path.write_text(after, "utf-8", "surrogateescape")
