"""metrics.csv and system.csv: the values of each key, in the order they were logged (spec: run.md)."""

from __future__ import annotations

import csv
import gc
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, repeat
from typing import NamedTuple, TypeAlias

from gitmlog.core.toml import shorten
from gitmlog.runs.reader import MAX_SIZE, bad_run, key_problem

HEADER = "key,step,time,value"
MAX_HISTORY = 1 << 30
"""Bytes of a history that are read at most."""

_Columns: TypeAlias = tuple[list[str], list[str], list[str], list[str]]
_NO_SHAPE = bytes(set(range(256)) - set(b",\n"))
_OF_NUMBERS = b"0123456789+-.eEinfa"


class Point(NamedTuple):
    """One value of one key: its step, the time in seconds since 1970 UTC, the value (NaN and infinities too)."""

    step: int
    time: float
    value: float


def format_history(items: Iterable[tuple[str, Sequence[Point]]]) -> bytes:
    """The text of these keys and their values."""
    return "".join((f"{HEADER}\n", *(line for key, points in items for line in _lines(key, points)))).encode()


def _lines(key: str, points: Iterable[Point]) -> Iterator[str]:
    start = _quoted(key)
    return (f"{start},{step},{float(time)!r},{float(value)!r}\n" for step, time, value in points)


def _quoted(key: str) -> str:
    return '"' + key.replace('"', '""') + '"' if any(c in key for c in ',"\r\n') else key


def parse_history(data: bytes, where: str) -> dict[str, list[Point]]:
    """The values of each key; `where` names the file in errors.

    Raises:
        DataError: kind `bad-run`: another header, not four fields, what is no number, a key in two places, above MAX_HISTORY.
    """
    if len(data) > MAX_HISTORY:
        raise bad_run(where, f"{len(data)} bytes (at most {MAX_HISTORY})")
    header, _, rows = data.replace(b"\r\n", b"\n").partition(b"\n")
    if header != HEADER.encode():
        raise bad_run(f"{where}:1", f"the header must be {HEADER}")
    try:
        columns = _quoted_columns(rows, where) if b'"' in rows else _columns(rows, where)
    except UnicodeDecodeError as error:
        raise bad_run(where, "not UTF-8") from error
    return _by_key(columns, where)


def history_of(data: bytes, key: str, where: str = "metrics.csv") -> list[Point]:
    """The values of one key, without reading the others; none when it is not there. Raises as `parse_history`."""
    mark = f"\n{_quoted(key)},".encode()
    first = data.find(mark)
    if first < 0:
        return []
    end = data.find(b"\n", data.rfind(mark) + 1)
    part = data[first + 1 : end + 1 if end >= 0 else len(data)]
    found = parse_history(f"{HEADER}\n".encode() + part, where)
    if list(found) != [key]:
        raise bad_run(where, f"the values of {key!r} stand in two places")
    return found[key]


def _columns(rows: bytes, where: str) -> _Columns:
    """Three commas a line are all that has to be looked at: a list of strings costs a tenth of a list of lists."""
    shape = rows.translate(None, _NO_SHAPE)
    if shape != b",,,\n" * (len(shape) // 4):
        if shape + b"\n" != b",,,\n" * (len(shape) // 4 + 1):
            raise bad_run(where, "a line has not four fields")
        rows += b"\n"
    fields = rows.decode("utf-8").replace("\n", ",").split(",")[:-1]
    return fields[0::4], fields[1::4], fields[2::4], fields[3::4]


def _quoted_columns(rows: bytes, where: str) -> _Columns:
    columns: _Columns = ([], [], [], [])
    try:
        for row in csv.reader(io.StringIO(rows.decode("utf-8"), newline=""), strict=True):
            for column, field in zip(columns, row, strict=True):
                column.append(field)
    except (csv.Error, ValueError) as error:
        raise bad_run(where, f"not four fields of CSV: {shorten(str(error))}") from error
    return columns


def _by_key(columns: _Columns, where: str) -> dict[str, list[Point]]:
    points = _points(columns, where)
    found: dict[str, list[Point]] = {}
    start = 0
    for key, group in groupby(columns[0]):
        end = start + sum(1 for _ in group)
        if (problem := key_problem(key)) or (problem := "its values stand in two places" if key in found else ""):
            raise bad_run(where, f"key {key[:100]!r}: {problem}")
        found[key] = points[start:end]
        start = end
    return found


def _points(columns: _Columns, where: str) -> list[Point]:
    _, steps, times, values = columns
    if _others(steps, b"0123456789-") or _others(times, _OF_NUMBERS) or _others(values, _OF_NUMBERS):
        raise bad_run(where, "a step, time or value is no number")  # int("1_0") and float(" 1") are too kind
    try:
        whole, moments = list(map(int, steps)), list(map(float, times))
        with _no_collection():
            points = list(map(tuple.__new__, repeat(Point), zip(whole, moments, map(float, values), strict=True)))
    except ValueError as error:
        raise bad_run(where, shorten(str(error))) from error
    if not all(map(math.isfinite, moments)):
        raise bad_run(where, "a time is not finite")
    if not -MAX_SIZE <= min(whole, default=0) <= max(whole, default=0) <= MAX_SIZE:
        raise bad_run(where, "a step is too large")
    return points


def _others(texts: list[str], allowed: bytes) -> bytes:
    """What else there is in these texts."""
    return "".join(texts).encode().translate(None, allowed)


@contextmanager
def _no_collection() -> Iterator[None]:
    """A million new tuples make the collector look at all of them again and again, for as long as all the rest takes."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
