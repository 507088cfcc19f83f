"""gitmlog fetch."""

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
from gitmlog.cli.travel import show_fetched, travel_options


@click.command("fetch")
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
    """Bring objects from a remote into the cache; the working tree is not touched.

    With --runs (or --where, --run): the tags of all runs by git, archived ones too, then the objects of the chosen runs.

    \b
    Examples:
      gitmlog fetch
      gitmlog fetch --rev v1.2 model.pt
      gitmlog fetch 'data/img_00*' -j 32
      gitmlog fetch --where 'metrics.acc > 0.9'
    """
    from gitmlog.ops.sync import SyncOptions, fetch

    options = SyncOptions(remote, rev, everything, jobs)
    travel = travel_options(words, others=bool(paths or rev or everything))
    if travel is not None:
        from gitmlog.ops.runs.travel import fetch_runs

        show_fetched(app, fetch_runs(app.workspace, travel, options, progress=app.progress), as_json=as_json)
        return
    report = fetch(app.workspace, paths, app.base, options, progress=app.progress)
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
