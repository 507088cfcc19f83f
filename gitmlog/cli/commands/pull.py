"""gitmlog pull."""

from __future__ import annotations

import click

from gitmlog.cli.commands.checkout import show
from gitmlog.cli.hints import note_hooks
from gitmlog.cli.options import (
    RunWords,
    all_option,
    force_option,
    jobs_option,
    json_option,
    pass_app,
    paths_argument,
    remote_option,
    runs_options,
)
from gitmlog.cli.output import App, echo_json, human_size, plural
from gitmlog.cli.travel import show_fetched, travel_options


@click.command("pull")
@paths_argument()
@remote_option
@click.option("--rev", metavar="REV", help="Take PATH as it was in this revision, and stage its metafile.")
@all_option
@jobs_option
@force_option
@runs_options
@json_option
@pass_app
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    app: App,
    paths: tuple[str, ...],
    remote: str | None,
    rev: str | None,
    everything: bool,
    jobs: int | None,
    force: bool,
    words: RunWords,
    as_json: bool,
) -> None:
    """Fetch what is needed, then write it into the working tree.

    With --runs (or --where, --run): as `gitmlog fetch --runs`; the files here stay, `gitmlog runs accept` takes a run over.

    \b
    Examples:
      git clone URL demo && cd demo && gitmlog pull
      gitmlog pull model.pt
      gitmlog pull 'data/img_00*'              a part of a directory
      gitmlog pull --rev v1.2 model.pt
      gitmlog pull --runs
    """
    from gitmlog.ops.pull import pull
    from gitmlog.ops.sync import SyncOptions

    options = SyncOptions(remote, rev, everything, jobs)
    travel = travel_options(words, others=bool(paths or rev or everything or force))
    if travel is not None:
        from gitmlog.ops.runs.travel import fetch_runs

        show_fetched(app, fetch_runs(app.workspace, travel, options, progress=app.progress), as_json=as_json)
        return
    report, done = pull(app.workspace, paths, app.base, options, force=force, progress=app.progress)
    if as_json:
        echo_json({"fetched": report, "checked_out": done})
        return
    if report is not None and report.sent:
        app.say(f"fetched {plural(report.sent, 'object')} ({human_size(report.bytes)}) from {report.remote}")
    show(app, done)
    note_hooks(app)
