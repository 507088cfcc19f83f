"""gitmlog push."""

from __future__ import annotations

import click

from gitmlog.cli.options import all_option, jobs_option, json_option, pass_app, paths_argument, remote_option, rev_option
from gitmlog.cli.output import App, echo_json, human_size, plural, there


@click.command("push")
@paths_argument()
@remote_option
@rev_option
@all_option
@jobs_option
@json_option
@pass_app
def command(
    app: App, paths: tuple[str, ...], remote: str | None, rev: str | None, everything: bool, jobs: int | None, as_json: bool
) -> None:
    """Send objects to a remote: before `git push`, so that no metafile is published before its bytes.

    Without PATH: those of the working tree, of the index, and of every commit of this branch that no git remote has yet. What
    the remote has is not sent again; an interrupted push goes on file by file:
    what was sent whole stays sent.

    \b
    Examples:
      gitmlog push && git push
      gitmlog push model.pt
      gitmlog push --all --remote backup
    """
    from gitmlog.ops.sync import SyncOptions, push

    report = push(app.workspace, paths, app.base, SyncOptions(remote, rev, everything, jobs), progress=app.progress)
    for note in report.notes:
        app.note(note)
    if as_json:
        echo_json(report)
        return
    if not report.sent and not report.present:
        app.say("nothing to send: nothing is tracked")
    elif report.sent:
        sent = f"sent {plural(report.sent, 'object')} ({human_size(report.bytes)}) to {report.remote}"
        app.say(sent + (f"; {there(report.present)} there already" if report.present else ""))
    else:
        app.say(f"everything is on {report.remote} already ({plural(report.present, 'object')})")
