"""gitmlog runs archive."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json, plural


@click.command("archive")
@click.argument("runs", nargs=-1, metavar="[RUN]…")
@click.option("--where", metavar="EXPR", help="Those that fulfil a condition, as for `gitmlog runs list`.")
@click.option("--older-than", metavar="AGE", help="Those that started longer ago: 12h, 30d, 8w.")
@click.option("--undo", is_flag=True, help="Back: archived runs become tags again.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@json_option
@pass_app
def command(
    app: App, runs: tuple[str, ...], where: str | None, older_than: str | None, undo: bool, dry_run: bool, as_json: bool
) -> None:
    """Take runs out of the list of git's tags; they are kept, listed and found as before.

    The tag moves from refs/tags/run/ to refs/gitmlog/runs/, which `git tag` does not show. `git fetch` brings back a tag that
    the git remote has: `gitmlog push --runs` archives it there too, and `gitmlog fetch --runs` where others work.

    \b
    Examples:
      gitmlog runs archive 20261123-091502-swift-otter
      gitmlog runs archive --older-than 90d --dry-run
      gitmlog runs archive --where "status = 'FAILED'"
      gitmlog runs archive --undo --older-than 0d
    """
    from gitmlog.ops.runs.archive import ArchiveOptions, archive

    done = archive(app.workspace, runs, ArchiveOptions(where, older_than, undo, dry_run), progress=app.progress)
    if as_json:
        echo_json(done)
        return
    for run in done.runs if dry_run else ():
        app.say(run)
    verb = ("would be " if dry_run else "") + ("taken back from the archive" if undo else "archived")
    already = f"; {plural(done.already, 'run')} {'not archived anyway' if undo else 'archived already'}" if done.already else ""
    app.say(f"{plural(len(done.runs), 'run')} {verb}{already}")
    if done.published and undo and not dry_run:
        app.note("they are archived on a git remote still: gitmlog push --runs takes them back there too")
    elif done.published and not dry_run:
        app.note("git fetch brings tags back that a git remote has: gitmlog push --runs archives them there too")
