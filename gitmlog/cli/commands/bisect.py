"""gitmlog bisect."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.columns import grid, number_text, plain, value_text
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json, plural
from gitmlog.core.errors import UsageError
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.bisect import Bisection, Bound, Point

_ID = 10
_WIDE = 1 << 20
"""Lines are not cut: ids and names of runs are for copying."""


@click.command("bisect")
@click.option("--metric", metavar="NAME", required=True, help="As in metrics.acc (the last value), min.loss, max.acc, or acc.")
@click.option("--below", type=float, metavar="X", help="Bad is what lies below X.")
@click.option("--above", type=float, metavar="X", help="Bad is what lies above X.")
@click.argument("good")
@click.argument("bad")
@json_option
@pass_app
def command(app: App, metric: str, below: float | None, above: float | None, good: str, bad: str, as_json: bool) -> None:
    """Find the first commit after GOOD, up to BAD, whose recorded metric is bad. Nothing is checked out, nothing is run.

    The metric of a commit is what the newest run says that has it: the run whose commit it is, a run of exactly its code
    (nothing changed, nothing untracked), or the run that it merged. Commits without one are left out; where the answer lies
    among them, all candidates are printed. NaN is bad. It is git's own bisect; it ends with the command, `git bisect reset`
    clears away what a killed one left.

    GOOD and BAD are revisions or runs. To run something at every step: git bisect run.

    \b
    Examples:
      gitmlog bisect --metric acc --below 0.9 v1.0 HEAD
      gitmlog bisect --metric min.loss --above 0.25 baseline last
      gitmlog bisect --metric metrics.acc --below 0.9 HEAD~40 HEAD --json
    """
    from gitmlog.ops.bisect import bisect

    found = bisect(app.workspace, metric, _bound(below, above), good, bad, progress=app.progress)
    if as_json:
        echo_json(_document(found))
        return
    for note in found.notes:
        app.note(note)
    for line in _lines(found):
        echo(line)


def _bound(below: float | None, above: float | None) -> Bound:
    from gitmlog.ops.bisect import Bound

    number = above if below is None else below
    if number is None or (below is not None and above is not None):
        raise UsageError("exactly one of --below and --above is needed", hint="a metric that is bad when it is low: --below 0.9")
    if math.isnan(number):
        raise UsageError("NaN is neither below nor above anything", hint="give a number")
    return Bound(number, below is not None)


def _lines(found: Bisection) -> Iterator[str]:
    if found.first_bad is None:
        yield f"one of these {len(found.candidates)} is the first bad commit; the others have no {plain(found.metric)}:"
        yield from grid([_row(point) for point in found.candidates], width=_WIDE)
    else:
        yield f"the first bad commit by {plain(found.metric)}:"
        yield from grid([_row(found.first_bad)], width=_WIDE)
    yield "the last good one before it:"
    yield from grid([_row(found.last_good)], width=_WIDE)
    yield from _differences(found)
    unknown = f", {found.unknown:,} of them without a value" if found.unknown else ""
    yield f"{plural(found.tested, 'commit')} looked at, of {found.commits:,}{unknown}"


def _row(point: Point) -> list[str]:
    who, value = point.commit, point.value
    said = ["-", "-"] if value is None else [number_text(value.number), value.run.record.id]
    return [who.id[:_ID], f"{who.date:%Y-%m-%d %H:%M}", plain(who.author), *said, plain(who.subject)]


def _differences(found: Bisection) -> Iterator[str]:
    from gitmlog.metafile.change import in_words

    if found.metafiles:
        yield "tracked paths that this commit changed:"
        yield from grid([[display(each.path), plain(in_words(each))] for each in found.metafiles], width=_WIDE)
    if found.params:
        yield "parameters of its run, and of the good one:"
        yield from grid(
            [[plain(each.name), f"{value_text(each.new)}, was {value_text(each.old)}"] for each in found.params], width=_WIDE
        )


def _document(found: Bisection) -> dict[str, Any]:
    from gitmlog.metafile.change import in_words

    return {
        "metric": found.metric,
        "first_bad": _point(found.first_bad) if found.first_bad is not None else None,
        "candidates": [_point(point) for point in found.candidates],
        "last_good": _point(found.last_good),
        "notes": found.notes,
        "metafiles": [
            {"path": each.path, "kind": each.kind, "old_path": each.old_path or None, "words": in_words(each)}
            for each in found.metafiles
        ],
        "params": [{"name": each.name, "old": _plain(each.old), "new": _plain(each.new)} for each in found.params],
        "commits": found.commits,
        "without_value": found.unknown,
        "tested": found.tested,
    }


def _plain(value: Any) -> Any:
    from gitmlog.runs.stored import plain_value

    return None if value is None else plain_value(value)


def _point(point: Point) -> dict[str, Any]:
    who, value = point.commit, point.value
    signed = {"id": who.id, "date": who.date.isoformat(), "author": who.author, "email": who.email, "subject": who.subject}
    run = None if value is None else {"id": value.run.record.id, "name": value.run.record.name}
    return {"commit": signed, "value": None if value is None else _plain(value.number), "run": run}
