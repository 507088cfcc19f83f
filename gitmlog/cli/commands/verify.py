"""gitmlog verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option, pass_app, paths_argument
from gitmlog.cli.output import App, echo, echo_json, human_size, plural
from gitmlog.core.errors import DataError
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.verify import Problem, VerifyReport


@click.command("verify")
@paths_argument()
@click.option("--remote", is_flag=True, help="Read every byte of what is needed on the remote too.")
@click.option("--from", "name", metavar="NAME", help="The remote to read and to repair from, instead of the default.")
@click.option("--repair", is_flag=True, help="Replace what is damaged or missing by a whole copy.")
@click.option("--all", "everything", is_flag=True, help="What all revisions need that can be reached, not only this one.")
@json_option
@pass_app
def command(
    app: App, paths: tuple[str, ...], remote: bool, name: str | None, repair: bool, everything: bool, as_json: bool
) -> int:
    """Read every byte of the cache (or of PATH's objects) and compare it with its name.

    No mode, size or memory of an earlier hash is believed. A damaged object is moved to quarantine and named with the paths it
    belongs to; what is needed and not in the cache is named too, unless --remote finds it whole there.

    --repair takes whole copies from the working tree or the remote; with --remote it also replaces what is damaged or missing on
    the remote by this cache's copies. Exit code 5: something damaged or missing remains.

    \b
    Examples:
      gitmlog verify
      gitmlog verify --repair model.pt
      gitmlog verify --remote --all            an audit of the remote; works in a fresh clone
      gitmlog verify --remote --repair --from backup
    """
    from gitmlog.ops.verify import VerifyOptions, verify

    report = verify(app.workspace, paths, app.base, VerifyOptions(remote, name, repair, everything), progress=app.progress)
    if as_json:
        echo_json({**vars(report), "whole": report.is_whole})
    else:
        _show(app, report, repair)
    return 0 if report.is_whole else DataError.exit_code


def _show(app: App, report: VerifyReport, repair: bool) -> None:
    for note in report.notes:
        app.note(note)
    for text in report.unreadable:
        echo(text)
    for problem in report.problems:
        echo(_line(problem, report.remote))
    echo(f"read {plural(report.objects, 'object')} ({human_size(report.bytes)}) of the cache")
    if report.remote is not None:
        away = f"; {report.not_cached:,} of them {'is' if report.not_cached == 1 else 'are'} not in the cache"
        echo(f"read {plural(report.remote_objects, 'object')} on {report.remote}{away if report.not_cached else ''}")
    echo(_verdict(report, repair))


def _verdict(report: VerifyReport, repair: bool) -> str:
    left = [problem for problem in report.problems if not problem.repaired]
    count = plural(len(left), "object")
    if report.is_whole:
        return "all is whole"
    if not left:
        return "what the unreadable metafiles need was not looked at"
    if repair:
        return f"{count} could not be repaired: whoever has them can run gitmlog push, or verify --remote --repair"
    if any(problem.place == "remote" for problem in left):
        return f"{count} damaged or missing: gitmlog verify --remote --repair"
    if not report.objects and all(problem.condition == "missing" for problem in left):
        return f"the cache is empty, {count} {'is' if len(left) == 1 else 'are'} needed: gitmlog pull"
    return f"{count} damaged or missing: gitmlog verify --repair"


def _line(problem: Problem, remote: str | None) -> str:
    where = "in the cache" if problem.place == "cache" else f"on {remote}"
    names = ", ".join(map(display, problem.paths[:3])) or "(no path that can be reached)"
    more = f" and {len(problem.paths) - 3} more" if len(problem.paths) > 3 else ""
    after = ": repaired" if problem.repaired else ""
    return f"{names}{more}  {problem.condition} {where} ({problem.oid[:12]}){after}"
