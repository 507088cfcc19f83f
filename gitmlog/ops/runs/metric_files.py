"""Metrics that a program in any language left in a file, or printed: JSON, JSON lines, YAML, TOML, CSV, `metric NAME=VALUE`."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import is_regular
from gitmlog.core.errors import NotFoundError
from gitmlog.core.paths import display
from gitmlog.core.toml import TomlError, parse_toml, shorten
from gitmlog.ops.runs.metric_values import MAX_VALUES, STEPS, Reading, Value, bad_file, number_of, whole_of
from gitmlog.runs.reader import key_problem

MAX_BYTES = 64 << 20
MAX_SLOW = 8 << 20
"""Bytes of YAML and TOML, whose readers are slow."""
_MAX_DEPTH = 32

_COLOUR = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]")
_WORD = "metric "
_LONGEST_LINE = 16_384


# Lines on stdout


def parse_metric_line(line: str) -> list[Value]:
    """The values in a line `metric NAME=VALUE… [step=N]`; none when it has any other form. Colours are not seen."""
    if _WORD.strip() not in line[:200] or len(line) > _LONGEST_LINE:
        return []
    text = _COLOUR.sub("", line).strip()
    if not text.startswith(_WORD):
        return []
    pairs = [word.rpartition("=")[::2] for word in text.split()[1:]]
    step = None
    if len(pairs) > 1 and pairs[-1][0] == "step":
        step = whole_of(pairs.pop()[1])
        if step is None:
            return []
    values = [(name, number_of(text), step) for name, text in pairs]
    good = all(value is not None and "=" not in name and not key_problem(name) for name, value, _ in values)
    return [(name, value, step) for name, value, step in values if value is not None] if good else []


# Files


@dataclass(frozen=True)
class MetricsFile:
    """What a file of metrics holds, and notes of what was left out."""

    values: list[Value]
    notes: tuple[str, ...]


def read_metrics(path: Path) -> MetricsFile:
    """The metrics in a file, by its ending.

    Raises:
        NotFoundError: kind `no-path`.
        DataError: kind `bad-metrics-file`: what cannot be read, with its place.
    """
    reader = check_ending(path)
    reading = Reading(path)
    reader(_text(path), reading)
    return MetricsFile(reading.values, reading.notes)


def check_ending(path: Path) -> Callable[[str, Reading], None]:
    """What reads a file of this name. Raises DataError, kind `bad-metrics-file`: its ending says nothing."""
    readers = {".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines, ".yaml": _yaml, ".yml": _yaml, ".toml": _toml}
    readers |= {".csv": _csv, ".tsv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise bad_file(path, f"its ending is none of {', '.join(readers)}")
    return reader


def _text(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        hint = "the program has to write it before it ends"
        raise NotFoundError(f"there is no metrics file {display(path)}", kind="no-path", hint=hint) from None
    except OSError as error:
        raise bad_file(path, f"it cannot be read: {error.strerror}") from error
    if not is_regular(os.fstat(fd)):
        os.close(fd)
        raise bad_file(path, "it is no file")
    with open(fd, "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise bad_file(path, f"more than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_file(path, "not UTF-8", data.count(b"\n", 0, error.start) + 1) from error


def _json(text: str, reading: Reading) -> None:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Extra data"):
            _json_lines(text, reading)
            return
        reading.line = error.lineno
        raise reading.fail(f"not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise reading.fail(f"not JSON: {shorten(str(error))}") from error
    reading.document(found)


def _json_lines(text: str, reading: Reading) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            reading.line = number
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise reading.fail(f"not JSON: {shorten(str(error))}") from error
            reading.record(found, STEPS)


def _yaml(text: str, reading: Reading) -> None:
    import yaml

    _check_slow(text, reading)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_yaml(yaml.parse(text, Loader=loader), reading)
        found = yaml.load(text, Loader=loader)  # noqa: S506 - the safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reading.line = mark.line + 1 if mark is not None else 0
        raise reading.fail(f"not YAML: {shorten(getattr(error, 'problem', None) or str(error))}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise reading.fail(f"not YAML: {shorten(str(error))}") from error
    reading.document(found)


def _check_yaml(events: Iterable[Any], reading: Reading) -> None:
    """Before anything is built: no alias, by which a small file becomes a huge one, and no deep nesting."""
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += (
            1
            if name in ("MappingStartEvent", "SequenceStartEvent")
            else -1
            if name.endswith(("MappingEndEvent", "SequenceEndEvent"))
            else 0
        )
        if name == "AliasEvent" or depth > _MAX_DEPTH:
            reading.line = event.start_mark.line + 1
            raise reading.fail("an alias (*name) is not read" if name == "AliasEvent" else f"nested deeper than {_MAX_DEPTH}")


def _check_slow(text: str, reading: Reading) -> None:
    if len(text) > MAX_SLOW:
        raise reading.fail(f"more than {MAX_SLOW >> 20} MiB of YAML or TOML: write JSON or CSV")


def _toml(text: str, reading: Reading) -> None:
    _check_slow(text, reading)
    try:
        found = parse_toml(text)
    except TomlError as error:
        reading.line = error.line
        raise reading.fail(str(error)) from error
    reading.document(found)


def _csv(text: str, reading: Reading) -> None:
    rows = _rows(text, reading)
    header = [name.strip() for name in next(rows, [])]
    named = [name for name in header if name]
    if not named or all(number_of(name) is not None for name in named):
        raise reading.fail("the first line must name the columns")
    if len(set(named)) < len(named):
        raise reading.fail(f"two columns are called {next(name for name in named if named.count(name) > 1)!r}")
    lower = [name.lower() for name in header]
    if "value" in lower and (key := next((name for name in ("key", "metric", "name") if name in lower), "")):
        _long_table(rows, lower, key, reading)
    else:
        _wide_table(rows, header, lower, reading)


def _rows(text: str, reading: Reading) -> Iterator[list[str]]:
    """Rows that are not empty; of CSV or, by the file's ending, of TSV."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if reading.path.suffix.lower() == ".tsv" else ",")
    try:
        for row in reader:
            reading.line = reader.line_num
            if row:
                yield row
    except csv.Error as error:
        reading.line = reader.line_num
        raise reading.fail(f"not CSV: {error}") from error


def _long_table(rows: Iterable[list[str]], header: list[str], key: str, reading: Reading) -> None:
    """A line for each value, as in metrics.csv."""
    for row in rows:
        cells = dict(zip(header, row, strict=False))
        value = number_of(cells.get("value", ""))
        if value is None:
            raise reading.fail(f"the value {shorten(repr(cells.get('value', '')))} is no number")
        step = cells.get("step", "")
        reading.add(cells[key].strip() if key in cells else "", value, reading.step(step) if step.strip() else None)


def _wide_table(rows: Iterable[list[str]], header: list[str], lower: list[str], reading: Reading) -> None:
    """A column for each metric; those that are not numbers throughout are left out."""
    step_at = next((lower.index(name) for name in STEPS if name in lower), -1)
    columns: dict[int, list[tuple[float, int | None]]] = {at: [] for at, name in enumerate(header) if name and at != step_at}
    count = 0
    for row in rows:
        if len(row) > len(header):
            raise reading.fail(f"{len(row)} cells under {len(header)} names")
        step = reading.step(row[step_at]) if 0 <= step_at < len(row) else None
        for at in [at for at in columns if at < len(row) and row[at].strip()]:
            value = number_of(row[at])
            if value is None:
                reading.leave_out(header[at])
                count -= len(columns.pop(at))
            else:
                columns[at].append((value, step))
                count += 1
        if count > MAX_VALUES:
            raise reading.fail(f"more than {MAX_VALUES:,} values")
    for at, values in columns.items():
        for value, step in values:
            reading.add(header[at], value, step)
