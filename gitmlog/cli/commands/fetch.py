"""gitmlog fetch."""

from __future__ import annotations

import click

from gitmlog.cli.options import all_option, jobs_option, json_option, pass_app, paths_argument, remote_option, rev_option
from gitmlog.cli.output import App, echo_json, human_size, plural, there


@click.command("fetch")
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
    """Bring objects from a remote into the cache; the working tree is not touched.

    \b
    Examples:
      gitmlog fetch
      gitmlog fetch --rev v1.2 model.pt
      gitmlog fetch 'data/img_00*' -j 32
    """
    from gitmlog.ops.sync import SyncOptions, fetch

    report = fetch(app.workspace, paths, app.base, SyncOptions(remote, rev, everything, jobs), progress=app.progress)
    for note in report.notes:
        app.note(note)
    if as_json:
        echo_json(report)
        return
    if not report.sent and not report.present:
        app.say("nothing to fetch: nothing is tracked")
    elif report.sent:
        fetched = f"fetched {plural(report.sent, 'object')} ({human_size(report.bytes)}) from {report.remote}"
        app.say(fetched + (f"; {there(report.present)} here already" if report.present else ""))
    else:
        app.say(f"everything is in the cache already ({plural(report.present, 'object')})")
