"""gitmlog runs export."""

from __future__ import annotations

import click

from gitmlog.cli.columns import plain
from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App, echo, echo_json, plural
from gitmlog.core.paths import display


@click.command("export")
@click.argument("runs", nargs=-1, metavar="[RUN]…")
@click.option("--where", metavar="EXPR", help="The runs that fulfil a condition.")
@click.option("-o", "--out", metavar="FILE|DIR", type=click.Path(), help="Where to: .json, .jsonl, .csv, or a folder.")
@click.option("--history", is_flag=True, help="With every value that was logged (JSON).")
@click.option("-f", "--force", is_flag=True, help="Replace what is there.")
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written; without -o: JSON lines, as ever.")
@pass_app
def command(
    app: App, runs: tuple[str, ...], where: str | None, out: str | None, history: bool, force: bool, as_json: bool
) -> None:
    """Write runs for other programs; all of them, when none is named. Without -o: JSON lines to standard output.

    \b
    .json, .jsonl   whole records, artifacts and environment
    .csv            a row a run: params.NAME, metrics.NAME, tags.NAME
    a folder        a folder a run: its .toml files, metrics.csv, log.txt,
                    artifacts/

    \b
    Examples:
      gitmlog runs export -o runs.csv
      gitmlog runs export --where 'metrics.acc > 0.9' -o good.json --history
      gitmlog runs export last -o results
      gitmlog runs export | jq .metrics.acc.last
    """
    from gitmlog.ops.runs.export import documents, export, line_of, select

    found, notes = select(app.workspace, runs, where)
    if out is None:
        for document in documents(app.workspace, found, history=history, progress=app.progress):
            echo(line_of(document))
    else:
        export(app.workspace, found, app.base / out, history=history, force=force, progress=app.progress)
        if as_json:
            echo_json({"written": app.base / out, "runs": [run.record.id for run in found]})
        else:
            app.say(f"{plural(len(found), 'run')} written to {display(out)}")
    for note in notes:
        app.note(plain(note))
