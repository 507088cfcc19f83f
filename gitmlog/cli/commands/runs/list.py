"""gitmlog runs list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, plural
from gitmlog.core.errors import UsageError
from gitmlog.core.shown import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitmlog.cli.runs_fitting import Fitting
    from gitmlog.ops.runs.find import Found, FoundRuns

_ENOUGH = 50


@click.command("list")
@click.option("--where", metavar="EXPR", help="Only runs for which this is true.")
@click.option("--sort", metavar="KEYS", help="Order by these, between commas; -KEY the other way round.")
@click.option("--columns", metavar="NAMES", help="Show these, between commas; metrics.* are all metrics, * is everything.")
@click.option(
    "-n", "--limit", type=click.IntRange(0), metavar="N", help=f"At most so many; 0 is all (default {_ENOUGH} as text, else all)."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: exact values, one line a run.")
@json_option
@pass_app
def command(
    app: App, where: str | None, sort: str | None, columns: str | None, limit: int | None, as_csv: bool, as_json: bool
) -> None:
    """List runs, newest first: those of this clone, those that were fetched, and archived ones (marked *).

    A ! after the status says that the run has warnings, └ that it is nested in another one of the list.

    Conditions compare metrics.NAME (the last value), min.NAME, max.NAME, params.NAME, tags.NAME, and id, name, status, started,
    ended, seconds, user, host, commit, branch, parent, exit, archived (gitmlog help finding-runs).

    \b
    Examples:
      gitmlog runs list
      gitmlog runs list --where 'metrics.acc > 0.9 and params.lr < 1e-2'
      gitmlog runs list --where 'acc > 0.9' --sort -acc
      gitmlog runs list --where "status = FAILED and started > 2026-11-01"
      gitmlog runs list --where 'parent = search' --columns '*' --limit 0
      gitmlog runs list --columns name,status,metrics.*,params.lr,min.loss
      gitmlog runs list --csv > runs.csv
    """
    from gitmlog.ops.runs.find import search

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other", hint="choose one")
    usual = _ENOUGH if not (as_csv or as_json) else 0
    found = search(app.workspace, where, sort, (usual if limit is None else limit) or None, progress=app.progress)
    if as_json:
        _print_json(found, columns)
    elif as_csv:
        _print_csv(found, columns)
    else:
        _print_table(app, found, columns, is_all=not where)
    if not as_json:
        for note in found.notes:
            app.note(note)


def _print_json(found: FoundRuns, columns: str | None) -> None:
    """One document, one line a run: ten thousand are printed in no time, and `grep` finds one."""
    from gitmlog.cli.runs_table import chosen, exact

    chosen_ones = chosen(columns, found.runs) if columns else None
    rows = [exact(chosen_ones, run) if chosen_ones else whole(run) for run in found.runs]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    notes = json.dumps(found.notes, ensure_ascii=False)
    echo(escaped(f'{{"runs": [\n{lines}\n], "total": {found.total}, "notes": {notes}}}'))


def whole(run: Found) -> dict[str, Any]:
    """A run for programs: its record, and what git knows it by."""
    from gitmlog.runs.stored import plain

    more = {"commit": run.commit, "tag": run.ref.removeprefix("refs/tags/"), "tag_object": run.tag_object}
    return plain(run.record) | more | {"archived": run.archived}


def _print_csv(found: FoundRuns, columns: str | None) -> None:
    from gitmlog.cli.runs_table import as_csv, chosen, complete

    echo(as_csv(chosen(columns, found.runs) if columns else complete(found.runs), found.runs).rstrip("\n"))


def _print_table(app: App, found: FoundRuns, columns: str | None, *, is_all: bool) -> None:
    from gitmlog.cli.runs_fitting import Fitting, fitting
    from gitmlog.cli.runs_table import chosen, table

    shown = Fitting(tuple(chosen(columns, found.runs)), 0) if columns else fitting(found.runs, found.sorted_by)
    if not found.runs:
        return app.say(_nothing(is_all))
    for line in table(shown.columns, found.runs):
        echo(line)
    for line in _remarks(found.runs, found.total, shown):
        app.say(line)
    return None


def _nothing(is_all: bool) -> str:
    return "no run yet: gitmlog run -- python train.py" if is_all else "no run is like that: gitmlog runs list"


def _remarks(runs: Sequence[Found], total: int, shown: Fitting) -> list[str]:
    more = [f"… {total - len(runs):,} more: --limit 0 lists all"] if total > len(runs) else []
    if any(column.title == "status" for column in shown.columns):
        more += ["! has warnings: gitmlog runs show RUN"] if any(run.record.warnings for run in runs) else []
        more += ["* archived"] if any(run.archived for run in runs) else []
    return more + ([f"{plural(shown.left_out, 'more column')}: --columns '*'"] if shown.left_out else [])
