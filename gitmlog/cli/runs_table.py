"""Runs as rows: which columns there are, and as a table for people or as CSV."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitmlog.runs.query import parse_fields, parse_sort
from gitmlog.runs.query_nodes import Field, bad_query
from gitmlog.runs.record import ParamValue
from gitmlog.runs.stored import iso, plain_value
from gitmlog.runs.tags import short

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

_GAP = "  "
_NAME = 14
_TEXT = 40
_COLOURS = {"FAILED": "red", "KILLED": "yellow", "RUNNING": "cyan"}
_METRICS = {"metrics": "last", "min": "min", "max": "max"}
_ALL = ("metrics", "min", "max", "params", "tags")

_ATTRIBUTES: dict[str, Callable[[Found], Any]] = {
    "id": lambda run: run.record.id,
    "name": lambda run: run.record.name,
    "status": lambda run: run.record.status,
    "started": lambda run: iso(run.record.started),
    "ended": lambda run: iso(run.record.ended),
    "seconds": lambda run: run.record.seconds,
    "user": lambda run: run.record.user or None,
    "host": lambda run: run.record.host or None,
    "commit": lambda run: run.commit or None,
    "code": lambda run: run.record.code.commit or None,
    "branch": lambda run: run.record.code.branch or None,
    "parent": lambda run: run.record.parent or None,
    "exit": lambda run: run.record.exit,
    "archived": lambda run: run.archived,
    "tag": lambda run: run.ref.removeprefix("refs/tags/") or None,
    "folder": lambda run: run.record.folder,
    "error": lambda run: run.record.error or None,
}
_IN_CSV = (
    "id",
    "name",
    "status",
    "started",
    "ended",
    "seconds",
    "user",
    "host",
    "commit",
    "code",
    "branch",
    "parent",
    "exit",
    "archived",
)


@dataclass(frozen=True)
class Column:
    """A column: its title, the exact value of a run, or None, and the text of it for people."""

    title: str
    value: Callable[[Found], Any]
    text: Callable[[Found], str]
    right: bool = False


def chosen(text: str, runs: Sequence[Found]) -> list[Column]:
    """The columns that `--columns` names; `metrics.*` are those that any of `runs` has. Raises UsageError, kind `bad-query`."""
    columns = []
    for field in parse_fields(text):
        if field.space in _ALL and field.key == "*":
            columns += [_fact(Field(field.space, key), runs) for key in sorted(_keys(field.space, runs))]
        elif field.space:
            columns.append(_fact(field, runs))
        else:
            columns.append(_attribute(field.key, text))
    return columns


def complete(runs: Sequence[Found]) -> list[Column]:
    """All that is worth a column in a spreadsheet."""
    facts = [_fact(Field(space, key), runs) for space in ("params", "metrics", "tags") for key in sorted(_keys(space, runs))]
    return [*(_attribute(name, name) for name in _IN_CSV), *facts]


def fitting(runs: Sequence[Found], sort: str | None) -> list[Column]:
    """The usual columns, what was sorted by, and as many common metrics, then parameters that differ, as the terminal is wide."""
    names = ["id", *(["name"] if any(map(_given_name, runs)) else []), "status", "when", "took"]
    columns = [Column(name, _given_name, _given_name) if name == "name" else _attribute(name, name) for name in names]
    sorted_by = [key.field for key in parse_sort(sort or ()) if key.field.space]
    left = _terminal() - sum(_width_of(column, runs) + len(_GAP) for column in columns) + len(_GAP)
    taken = set(names)
    for field in dict.fromkeys([*sorted_by, *_common("metrics", runs), *_differing(runs)]):
        title = field.key if field.space in ("metrics", "params") and field.key not in taken else str(field)
        if field not in sorted_by and left < len(title) + len(_GAP):
            continue
        column = _fact(field, runs, title=title)
        needed = _width_of(column, runs) + len(_GAP)
        if needed <= left or field in sorted_by:
            columns.append(column)
            taken.add(title)
            left -= needed
    return columns


def _given_name(run: Found) -> str:
    """The user's own name for it; the words of an id stand in the id already."""
    return "" if run.record.name == run.record.id[16:] else cut(run.record.name, _NAME)


def _common(space: str, runs: Sequence[Found]) -> list[Field]:
    """The most common first."""
    return [Field(space, key) for key, _ in sorted(_keys(space, runs).items(), key=lambda item: (-item[1], item[0]))]


def _differing(runs: Sequence[Found]) -> list[Field]:
    """Parameters that are not the same in all runs: what all have in common tells none from another."""
    return [field for field in _common("params", runs) if len({run.record.params.get(field.key) for run in runs}) > 1]


def _terminal() -> int:
    import shutil

    return shutil.get_terminal_size((80, 24)).columns


def _keys(space: str, runs: Sequence[Found]) -> Counter[str]:
    name = "metrics" if space in _METRICS else space
    return Counter(key for run in runs for key in getattr(run.record, name))


def _fact(field: Field, runs: Sequence[Found], *, title: str = "") -> Column:
    if field.space in _METRICS:
        part = _METRICS[field.space]

        def value(run: Found) -> Any:
            facts = run.record.metrics.get(field.key)
            return None if facts is None else getattr(facts, part)
    else:

        def value(run: Found) -> Any:
            return getattr(run.record, field.space).get(field.key)

    right = all(isinstance(found, int | float) for run in runs if (found := value(run)) is not None)
    return Column(title or str(field), value, lambda run: value_text(value(run)), right)


def _attribute(name: str, source: str) -> Column:
    if name == "when":
        return Column(name, _ATTRIBUTES["started"], lambda run: ago(run.record.started, datetime.now(UTC)), right=True)
    if name == "took":
        return Column(name, _ATTRIBUTES["seconds"], lambda run: took(run.record.seconds), right=True)
    if name == "status":
        return Column(name, _ATTRIBUTES[name], lambda run: run.record.status + ("*" if run.archived else ""))
    if name == "name":
        return Column(name, _ATTRIBUTES[name], lambda run: cut(run.record.name, _NAME))
    if name == "command":
        return Column(name, lambda run: list(run.record.command), lambda run: cut(" ".join(run.record.command), _TEXT))
    if name not in _ATTRIBUTES:
        hint = f"the columns are {', '.join([*_ATTRIBUTES, 'when', 'took', 'command'])}, and metrics., params., tags., min., max."
        raise bad_query(source, max(0, source.find(name)), f"there is no column {name!r}", hint)
    short_ids = name in ("commit", "code")
    return Column(
        name,
        _ATTRIBUTES[name],
        lambda run: (_ATTRIBUTES[name](run) or "")[:10] if short_ids else value_text(_ATTRIBUTES[name](run)),
        right=name in ("seconds", "exit"),
    )


def value_text(value: ParamValue | None) -> str:
    """A value for people: four significant digits, one line, without control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return cut(f"[{', '.join(value_text(each) for each in value)}]", _TEXT)
    return cut(value, _TEXT) if isinstance(value, str) else str(value) if isinstance(value, int) else short(value)


def cut(text: str, width: int) -> str:
    """On one line, at most so many characters."""
    line = " ".join(text[: 4 * width].split())
    shown = line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)
    return shown if len(shown) <= width and len(text) <= 4 * width else f"{shown[: width - 1]}…"


def ago(time: datetime, now: datetime) -> str:
    """How long ago, or for more than a week the day (UTC): "40s ago", "3h ago", "Nov 23", "2025-11-23"."""
    seconds = (now - time).total_seconds()
    for limit, length, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (7 * 86400, 86400, "d")):
        if 0 <= seconds < limit:
            return f"{int(seconds / length)}{unit} ago"
    return f"{time:%b} {time.day:>2}" if time.year == now.year else f"{time:%Y-%m-%d}"


def took(seconds: float) -> str:
    """Seconds, short: "0.31s", "12.4s", "3m05s", "2h07m", "4d02h"."""
    if not 0 <= seconds < 1e9:
        return "?"
    if seconds < 59.95:
        return f"{seconds:.2f}s" if seconds < 1 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours < 24 else f"{hours // 24}d{hours % 24:02d}h"


def table(columns: Sequence[Column], runs: Sequence[Found]) -> list[str]:
    """Lines for people: a head, and one for each run; colours on a terminal alone."""
    widths = [_width_of(column, runs) for column in columns]
    lines = [_GAP.join(_pad(column.title, width, column.right) for column, width in zip(columns, widths, strict=True)).rstrip()]
    for run in runs:
        cells = [_cell(column, width, run) for column, width in zip(columns, widths, strict=True)]
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _cell(column: Column, width: int, run: Found) -> str:
    text = _pad(column.text(run), width, column.right)
    colour = _COLOURS.get(run.record.status) if column.title == "status" and "NO_COLOR" not in os.environ else None
    return click.style(text, fg=colour) if colour else text


def _pad(text: str, width: int, right: bool) -> str:
    blank = " " * (width - _columns_of(text))
    return blank + text if right else text + blank


def _width_of(column: Column, runs: Sequence[Found]) -> int:
    return max([_columns_of(column.title), *(_columns_of(column.text(run)) for run in runs)])


def _columns_of(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def exact(columns: Sequence[Column], run: Found) -> dict[str, Any]:
    """Title -> value, for JSON."""
    return {column.title: plain_value(column.value(run)) for column in columns}


def as_csv(columns: Sequence[Column], runs: Sequence[Found]) -> str:
    """RFC 4180 with LF: exact values, nothing for what is missing; `nan`, `inf`, `true` and `false` as in run.toml."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.title for column in columns])
    safe = _printable if sys.stdout.isatty() else str
    writer.writerows([safe(_csv(column.value(run))) for column in columns] for run in runs)
    return out.getvalue()


def _csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        import json

        return json.dumps(plain_value(tuple(value)), ensure_ascii=False)
    return repr(value) if isinstance(value, float) else str(value)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
