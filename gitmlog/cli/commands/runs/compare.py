"""gitmlog runs compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.columns import cut, number_text, padded, plain, terminal_width, value_text, wrapped
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json

if TYPE_CHECKING:
    from gitmlog.ops.runs.compare import Comparison, Row, Section
    from gitmlog.ops.runs.find import Found

_COLUMN = 13
"""A run's column is never narrower: what does not fit beside goes into a block of its own below."""
_NAME = 20
_MANY = 25
_CELL = 6


@click.command("compare")
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also what is the same.")
@json_option
@pass_app
def command(app: App, runs: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Show what differs between runs: parameters, metrics, data, code, environment.

    A metric's best last value is marked with *: the smallest of a loss or an error, of others the largest.

    \b
    Examples:
      gitmlog runs compare last~1 last
      gitmlog runs compare baseline swift-otter best:metrics.acc --all
    """
    from gitmlog.ops.runs.compare import compare
    from gitmlog.ops.runs.find import find

    found = compare(app.workspace, [find(app.workspace, run) for run in runs], everything=everything)
    if as_json:
        echo_json(_document(found))
        return
    for line in _lines(found, everything):
        echo(line)
    for note in found.notes:
        app.note(plain(note))


def _document(found: Comparison) -> dict[str, Any]:
    runs = [{"id": run.record.id, "name": run.record.name, "commit": run.commit} for run in found.runs]
    sections = {
        section.title: {"differs": section.differs, "rows": [_row(row) for row in section.rows]} for section in found.sections
    }
    return {"runs": runs, "same": list(found.same), "sections": sections, "notes": list(found.notes)}


def _row(row: Row) -> dict[str, Any]:
    from gitmlog.runs.stored import plain_value

    values = [None if value is None else plain_value(value) for value in row.values]
    return {"name": row.name, "values": values, "differs": row.differs, "best": list(row.best)}


def _lines(found: Comparison, everything: bool) -> Iterator[str]:
    shown = [section for section in found.sections if section.rows and (everything or section.differs)]
    for block in _blocks(len(found.runs)):
        yield from _block(found.runs, shown, block, everything)
        yield ""
    if any(row.best for section in shown for row in section.rows):
        yield "* the best last value"
    yield _verdict(found)


def _blocks(count: int) -> Iterator[range]:
    """The runs that go side by side."""
    room = max(1, (terminal_width() - _NAME) // (_COLUMN + 2))
    yield from (range(start, min(start + room, count)) for start in range(0, count, room))


def _block(runs: Sequence[Found], sections: Sequence[Section], block: range, everything: bool) -> Iterator[str]:
    from gitmlog.runs.tags import duration

    names = [plain(row.name) for section in sections for row in section.rows]
    name = min(_NAME, max((len(each) for each in names), default=0) + 2)
    width = (terminal_width() - name) // len(block) - 2
    records = [runs[place].record for place in block]
    if any(record.name != record.id[16:] for record in records):
        yield from _cells("", [plain(record.name) for record in records], name, width)
    whole = all(len(record.id) <= width for record in records)
    yield from _cells("", [record.id if whole else record.id[16:] for record in records], name, width)
    yield from _cells("", [f"{record.started:%Y-%m-%d %H:%M}, {duration(record.seconds)}" for record in records], name, width)
    for section in sections:
        yield ""
        yield section.title
        many = len(section.rows) if everything else _MANY
        for row in section.rows[:many]:
            yield from _cells(f"  {plain(row.name)}", [_value(section, row, place) for place in block], name, width)
        if len(section.rows) > many:
            yield f"  … and {len(section.rows) - many:,} more (--all)"


def _cells(name: str, texts: Sequence[str], name_width: int, width: int) -> Iterator[str]:
    """One row; what is too long goes on below, so that two texts that differ late do not look the same."""
    columns = [wrapped(text, width) for text in texts]
    columns = [lines if len(lines) <= _CELL else [*lines[: _CELL - 1], f"…{lines[-1]}"[:width]] for lines in columns]
    for number in range(max(map(len, columns))):
        parts = [lines[number] if number < len(lines) else "" for lines in columns]
        head = padded(cut(name, name_width), name_width) if not number else " " * name_width
        yield (head + "".join(f"  {padded(part, width)}" for part in parts)).rstrip()


def _value(section: Section, row: Row, place: int) -> str:
    value = row.values[place]
    if section.title == "metrics" and isinstance(value, float):
        return f"{number_text(value)}{' *' if place in row.best else ''}"
    if section.title == "run" and row.name == "command" and isinstance(value, tuple):
        import shlex

        return plain(shlex.join(map(str, value)))
    return value_text(value)


def _verdict(found: Comparison) -> str:
    if all(not section.differs for section in found.sections):
        return "nothing differs"
    same = _words(found.same)
    if not same:
        return "nothing is the same"
    joined = f"{', '.join(same[:-1])} and {same[-1]}" if len(same) > 1 else same[0]
    plural = len(same) > 1 or same[0] in ("parameters", "metrics", "inputs", "outputs")
    return f"{joined} {'are' if plural else 'is'} the same"


def _words(same: Sequence[str]) -> list[str]:
    """Inputs and outputs together are the data; a run's status and command are not worth a word."""
    kept = [title for title in same if title != "run"]
    if "inputs" in kept and "outputs" in kept:
        kept = ["data" if title == "inputs" else title for title in kept if title != "outputs"]
    return kept
