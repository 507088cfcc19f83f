"""gitmlog push."""

from __future__ import annotations

import click

from gitmlog.cli.options import (
    RunWords,
    all_option,
    jobs_option,
    json_option,
    pass_app,
    paths_argument,
    remote_option,
    rev_option,
    runs_options,
)
from gitmlog.cli.output import App, echo_json, human_size, plural, there
from gitmlog.cli.travel import show_pushed, travel_options


@click.command("push")
@paths_argument()
@remote_option
@rev_option
@all_option
@jobs_option
@runs_options
@json_option
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    remote: str | None,
    rev: str | None,
    everything: bool,
    jobs: int | None,
    words: RunWords,
    as_json: bool,
) -> None:
    """Send objects to a remote: before `git push`, so that no metafile is published before its bytes.

    Without PATH: those of the working tree, of the index, and of every commit of this branch that no git remote has yet. What
    the remote has is not sent again; an interrupted push goes on file by file:
    what was sent whole stays sent.

    With --runs (or --where, --run): runs. Their objects go to the remote, then their commits and tags to the git remote, so that
    no run is published before its bytes.

    \b
    Examples:
      gitmlog push && git push
      gitmlog push model.pt
      gitmlog push --all --remote backup
      gitmlog push --runs
      gitmlog push --run last --git-remote origin
    """
    from gitmlog.ops.sync import SyncOptions, push

    options = SyncOptions(remote, rev, everything, jobs)
    travel = travel_options(words, others=bool(paths or rev or everything))
    if travel is not None:
        from gitmlog.ops.runs.travel import push_runs

        show_pushed(app, push_runs(app.workspace, travel, options, progress=app.progress), as_json=as_json)
        return
    report = push(app.workspace, paths, app.base, options, progress=app.progress)
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
    _note_runs(app)


def _note_runs(app: App) -> None:
    from gitmlog.ops.runs.published import unpublished_runs

    if count := unpublished_runs(app.workspace):
        app.note(f"{there(count).replace(' ', ' run ' if count == 1 else ' runs ', 1)} not pushed from here: gitmlog push --runs")
