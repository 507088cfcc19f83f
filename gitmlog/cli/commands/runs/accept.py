"""gitmlog runs accept."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from gitmlog.cli.columns import plain
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json, plural
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.runs.accept import Accepted


@click.command("accept")
@click.argument("run", metavar="RUN")
@click.option("--no-checkout", is_flag=True, help="Leave the files of outputs alone; `gitmlog checkout` writes them.")
@json_option
@pass_app
def command(app: App, run: str, no_checkout: bool, as_json: bool) -> None:
    """Bring a run into the current branch: its code, its metafiles and its record.

    The branch is fast-forwarded to the run's commit, or else merged with it. A file that is neither as the last commit has it
    nor as the run has it would be lost: then nothing is changed. So the usual case just works: edit, run, accept.

    \b
    Examples:
      gitmlog runs accept last
      gitmlog runs accept 20261123-091502-swift-otter
      gitmlog runs accept best:metrics.acc --no-checkout
    """
    from gitmlog.ops.runs.accept import accept

    done = accept(app.workspace, run, outputs=not no_checkout, progress=app.progress)
    if as_json:
        echo_json(done)
        return
    _show(app, done)


def _undo(done: Accepted) -> str:
    """Keeps what was edited meanwhile; `git reset --keep` looks at no file anew, and refuses those that were just written."""
    where = "" if done.branch == "HEAD" else f"-B {shlex.quote(plain(done.branch))} "
    return f"git checkout {where}{done.before[:10]}{' && gitmlog checkout' if done.outputs else ''}"


def _show(app: App, done: Accepted) -> None:
    branch = display(done.branch)
    if done.how == "already":
        app.say(f"{branch} has {done.run} already")
    else:
        how = "merged into" if done.how == "merge" else "fast-forward of"
        app.say(f"accepted {done.run}: {how} {branch}")
        before = f"{done.before[:10]} -> " if done.before else ""
        files = f"{plural(len(done.files), 'file')} changed here" if done.files else "no file had to be changed here"
        app.say(f"{branch}: {before}{done.commit[:10]}, {files}")
    if done.outputs:
        app.say(f"outputs are as in the run: {', '.join(map(display, done.outputs))}" if len(done.outputs) < 6
                else f"{plural(len(done.outputs), 'output')} are as in the run")  # fmt: skip
    for note in done.notes:
        app.note(plain(note))
    if done.how != "already" and done.before:
        app.say(f"undo: {_undo(done)}")
