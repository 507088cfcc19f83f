"""gitmlog rm."""

from __future__ import annotations

import click

from gitmlog.cli.options import force_option, json_option, pass_app, paths_argument
from gitmlog.cli.output import App, echo_json
from gitmlog.core.paths import display


@click.command("rm")
@paths_argument(required=True)
@click.option("--cached", is_flag=True, help="Keep the files; only stop tracking them.")
@force_option
@json_option
@pass_app
def command(app: App, paths: tuple[str, ...], cached: bool, force: bool, as_json: bool) -> None:
    """Stop tracking: remove the metafile and the file, and stage that.

    What was committed stays in history, in the cache and on the remote: `gitmlog checkout --rev REV PATH` brings it back.

    \b
    Examples:
      gitmlog rm old.pt && git commit -m "old model out"
      gitmlog rm --cached data/                keep the files
    """
    from gitmlog.ops.untrack import untrack

    done = untrack(app.workspace, paths, app.base, cached=cached, force=force, progress=app.progress)
    if as_json:
        echo_json(done)
        return
    for item in done:
        app.say(f"{display(item.path)}  not tracked any more{' (the file is still there)' if item.kept else ''}")
