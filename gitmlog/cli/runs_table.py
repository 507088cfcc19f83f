"""Runs as rows: which columns there are, and as a table for people or as CSV."""

from __future__ import annotations

import io
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitmlog.core.shown import cell
from gitmlog.runs.query import parse_fields
from gitmlog.runs.query_nodes import Field, bad_query
from gitmlog.runs.record import ParamValue
from gitmlog.runs.stored import iso, plain_value
from gitmlog.runs.tags import short

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

GAP = "  "
_NAME = 14
_TEXT = 40
_COLOURS = {"FAILED": "red", "KILLED": "yellow", "RUNNING": "cyan"}
_METRICS = {"metrics": "last", "min": "min", "max": "max"}
_STAR = (*(("", name) for name in ("id", "name", "status", "when", "took")), ("metrics", "*"), ("params", "*"), ("tags", "*"))
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
    """The columns that `--columns` names; `metrics.*` are those that any of `runs` has, `*` is all that a run has.

    Raises:
        UsageError: kind `bad-query`.
    """
    columns = []
    for field in _without_star(parse_fields(text)):
        if field.space in _ALL and field.key == "*":
            columns += [fact(Field(field.space, key), runs) for key in sorted(keys_of(field.space, runs))]
        elif field.space:
            columns.append(fact(field, runs))
        else:
            columns.append(_bare(field.key, runs) or attribute(field.key, text))
    return columns


def _without_star(fields: Sequence[Field]) -> Iterator[Field]:
    for field in fields:
        yield from map(Field, *zip(*_STAR, strict=True)) if field == Field("", "*") else (field,)


def _bare(name: str, runs: Sequence[Found]) -> Column | None:
    """A metric, else a parameter, whose name is no attribute's."""
    if name in (*_ATTRIBUTES, "when", "took", "command"):
        return None
    return next((fact(Field(space, name), runs) for space in ("metrics", "params") if name in keys_of(space, runs)), None)


def complete(runs: Sequence[Found]) -> list[Column]:
    """All that is worth a column in a spreadsheet."""
    facts = [fact(Field(space, key), runs) for space in ("params", "metrics", "tags") for key in sorted(keys_of(space, runs))]
    return [*(attribute(name, name) for name in _IN_CSV), *facts]


def shown_name(run: Found) -> str:
    """The user's own name for it; the words of an id stand in the id already."""
    return "" if run.record.name == run.record.id[16:] else run.record.name


def keys_of(space: str, runs: Sequence[Found]) -> Counter[str]:
    """The names that any of `runs` has below "metrics", "params" or "tags", and how many have it."""
    name = "metrics" if space in _METRICS else space
    return Counter(key for run in runs for key in getattr(run.record, name))


def fact(field: Field, runs: Sequence[Found], *, title: str = "") -> Column:
    """The column of a metric, parameter or tag."""
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


def attribute(name: str, source: str) -> Column:
    """The column of any other fact; `source` is the text that asks for it. Raises UsageError, kind `bad-query`."""
    if name == "when":
        return Column(name, _ATTRIBUTES["started"], lambda run: ago(run.record.started, datetime.now(UTC)), right=True)
    if name == "took":
        return Column(name, _ATTRIBUTES["seconds"], lambda run: took(run.record.seconds), right=True)
    if name == "status":
        return Column(name, _ATTRIBUTES[name], _status)
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


def _status(run: Found) -> str:
    """With what the last lines of the list explain."""
    return run.record.status + ("!" if run.record.warnings else "") + ("*" if run.archived else "")


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
    widths = [width_of(column, runs) for column in columns]
    lines = [GAP.join(_pad(column.title, width, column.right) for column, width in zip(columns, widths, strict=True)).rstrip()]
    for run in runs:
        cells = [_cell(column, width, run) for column, width in zip(columns, widths, strict=True)]
        lines.append(GAP.join(cells).rstrip())
    return lines


def _cell(column: Column, width: int, run: Found) -> str:
    text = _pad(column.text(run), width, column.right)
    colour = _COLOURS.get(run.record.status) if column.title == "status" and "NO_COLOR" not in os.environ else None
    return click.style(text, fg=colour) if colour else text


def _pad(text: str, width: int, right: bool) -> str:
    blank = " " * (width - _columns_of(text))
    return blank + text if right else text + blank


def width_of(column: Column, runs: Sequence[Found]) -> int:
    """Columns of the terminal that it takes."""
    return max([_columns_of(column.title), *(_columns_of(column.text(run)) for run in runs)])


def _columns_of(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def exact(columns: Sequence[Column], run: Found) -> dict[str, Any]:
    """Title -> value, for JSON."""
    return {column.title: plain_value(column.value(run)) for column in columns}


def as_csv(columns: Sequence[Column], runs: Sequence[Found]) -> str:
    """RFC 4180 with LF: exact values, nothing for what is missing; `nan`, `inf`, `true` and `false` as in run.toml.

    A text that a spreadsheet would run as a formula gets a ' before it.
    """
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(column.title) for column in columns])
    writer.writerows([_csv(column.value(run)) for column in columns] for run in runs)
    return out.getvalue()


def _csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        import json

        return cell(json.dumps(plain_value(tuple(value)), ensure_ascii=False))
    return cell(value) if isinstance(value, str) else repr(value)
