"""gitmlog gc."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json, human_size, plural

if TYPE_CHECKING:
    from gitmlog.ops.gc import Amount, GcReport


@click.command("gc")
@click.option("--prune", is_flag=True, help="Do it; without, only say what would be done.")
@click.option("--grace", type=click.IntRange(0), metavar="DAYS", help="Days in the trash (default: gc.grace, 14). 0: none.")
@click.option("--unpushed", is_flag=True, help="Also what no remote holds: it is lost for good.")
@click.option(
    "--clone",
    "clones",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another clone that shares this cache: keep what it reaches.",
)
@click.option("--no-other-clones", is_flag=True, help="This clone and those of --clone are all that use the cache.")
@json_option
@pass_app
def command(
    app: App,
    prune: bool,
    grace: int | None,
    unpushed: bool,
    clones: tuple[Path, ...],
    no_other_clones: bool,
    as_json: bool,
) -> None:
    """Remove from the cache what nothing needs. Without --prune nothing is removed.

    Kept is what any ref, reflog, stash, index or worktree reaches, and what no remote holds. The rest goes to the trash, and is
    deleted when it has been there for the grace period; until then whatever needs it finds it. The configured remotes are asked
    what they hold.

    \b
    Examples:
      gitmlog gc
      gitmlog gc --prune
      gitmlog gc --prune --grace 0             free the space now
      gitmlog gc --prune --clone ../other --no-other-clones    a cache that two clones share
    """
    from gitmlog.ops.gc import GcOptions, gc

    options = GcOptions(prune, grace, unpushed, tuple(app.base / clone for clone in clones), no_other_clones)
    report = gc(app.workspace, options, progress=app.progress)
    if as_json:
        echo_json({name: value._asdict() if hasattr(value, "_asdict") else value for name, value in vars(report).items()})
    else:
        _show(app, report)


def _show(app: App, report: GcReport) -> None:
    say = app.say if report.pruned else echo
    for note in report.notes:
        app.note(note)
    would = "" if report.pruned else "would be "
    say(f"needed: {_words(report.reachable)}")
    lines = [
        (report.unpushed, "not needed, but kept, since no remote holds it (--unpushed gives it up for good)"),
        (report.restored, f"{would}taken back from the trash"),
        (report.moved, f"{would}moved to the trash"),
        (report.deleted, f"{would}deleted"),
        (report.trash, f"{'' if report.pruned else 'then '}in the trash"),
    ]
    for amount, text in lines:
        if amount.objects:
            say(f"{text}: {_words(amount)}")
    if report.sessions:
        say(f"removed what {plural(report.sessions, 'killed process')} left".replace("processs", "processes"))
    if not (report.restored.objects or report.moved.objects or report.deleted.objects):
        say("nothing was removed" if report.pruned else "nothing to remove")
    elif not report.pruned:
        say("nothing was changed: gitmlog gc --prune does it")


def _words(amount: Amount) -> str:
    return f"{plural(amount.objects, 'object')} ({human_size(amount.bytes)})"
