"""gitmlog hook pre-push."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App, echo, human_size, plural

if TYPE_CHECKING:
    from gitmlog.ops.hooks.publish import PushedRef

_NONE = "0" * 40
_FIELDS = ("LOCAL_BRANCH", "TO_REF", "REMOTE_BRANCH", "FROM_REF")


@click.command("pre-push")
@click.argument("remote", required=False)
@click.argument("url", required=False)
@pass_app
def command(app: App, remote: str | None, url: str | None) -> None:  # noqa: ARG001 - git gives it
    """Send the objects that pushed commits name, before git sends the commits; git's lines come on standard input.

    When the remote does not answer, or an object is nowhere, nothing is pushed. Only ask: gitmlog config hooks.push check; do
    neither: gitmlog config hooks.push off.

    \b
    Examples:
      gitmlog hook pre-push origin URL < lines
    """
    from gitmlog.ops.hooks.publish import publish

    how = app.workspace.config.get("hooks.push")
    refs = _refs()
    if how == "off" or not refs:
        return
    name = remote or os.environ.get("PRE_COMMIT_REMOTE_NAME", "")
    report = publish(app.workspace, name, refs, send=how == "send", progress=app.progress)
    if report is not None and report.sent:
        sent = f"gitmlog: sent {plural(report.sent, 'object')} ({human_size(report.bytes)}) to {report.remote}"
        echo(sent, err=True)


def _refs() -> list[PushedRef]:
    """From git by standard input, or from pre-commit by variables."""
    from gitmlog.ops.hooks.publish import PushedRef

    local, new, remote, old = (os.environ.get(f"PRE_COMMIT_{field}", "") for field in _FIELDS)
    if local:  # pre-commit leaves the others out where the remote has nothing yet
        return [PushedRef(local, new or local, remote, old or _NONE)]
    lines = [] if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().split("\n")
    return [PushedRef(*words) for line in lines if len(words := line.rsplit(" ", 3)) == 4]  # HEAD@{one hour ago} has spaces
