"""gitmlog runs recover."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo_json


@click.command("recover")
@click.argument("runs", nargs=-1, metavar="[RUN]…")
@json_option
@pass_app
def command(app: App, runs: tuple[str, ...], as_json: bool) -> int:
    """Record the runs whose process was killed: with all that they had logged, as KILLED, or as they ended.

    Runs that go on are left alone.

    \b
    Examples:
      gitmlog runs recover
      gitmlog runs recover 20261123-091502
    """
    from gitmlog.ops.runs.recover import recover

    done = recover(app.workspace, runs, progress=app.progress)
    if as_json:
        echo_json(
            {
                "recorded": [
                    {"id": each.record.id, "status": each.record.status, "commit": each.commit} for each in done.recorded
                ],
                "live": done.live,
                "failed": [{"id": run, "kind": error.kind, "message": error.message} for run, error in done.failed],
            }
        )
        return 1 if done.failed else 0
    for each in done.recorded:
        app.say(f"recorded {each.record.tag}  {each.record.status}")
    for run, error in done.failed:
        app.note(f"run {run} could not be recorded: {error.message}{f' ({error.hint})' if error.hint else ''}")
    if not done.recorded and not done.failed:
        app.say("no run was left open" if not done.live else f"no run to recover: {len(done.live)} go on")
    return 1 if done.failed else 0
