"""Queries as SQL over the tables of the index. What a user wrote is only ever an argument, never a part of the SQL."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from gitmlog.core.toml import shorten
from gitmlog.runs.query_nodes import (
    NUMBERS,
    STATUSES,
    TIMES,
    Field,
    Has,
    Join,
    Key,
    Literal,
    Node,
    Not,
    Test,
    bad_query,
    joining,
)

Sql: TypeAlias = tuple[str, tuple[object, ...]]

# Where the value of a namespace is: table, column. "n" is the number of a run.
_METRICS = {"metrics": "last", "min": "least", "max": "most"}
_ORDERED = ("<", "<=", ">", ">=")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_STEPS = (
    (re.compile(r"\d{4}-\d\d-\d\d"), _DAY),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?:Z|[+-]\d\d:?\d\d)?"), timedelta(minutes=1)),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|[+-]\d\d:?\d\d)?"), timedelta(seconds=1)),
)
_COLUMNS = {"commit": "code"}


def condition(node: Node | None, source: str) -> Sql:
    """The condition on a row of `runs`; `source` is the text it was read from, for errors. Raises UsageError."""
    return ("1", ()) if node is None else _Compiler(source).node(node)


def ordering(keys: tuple[Key, ...]) -> Sql:
    """What follows ORDER BY: numbers before texts, NaN after both, what is missing last; the newest first among equals."""
    parts = [_key(key) for key in keys] + [("started DESC, id DESC", ())]
    return ", ".join(sql for sql, _ in parts), tuple(value for _, values in parts for value in values)


def _key(key: Key) -> Sql:
    way = " DESC" if key.descending else ""
    field = key.field
    if not field.space:
        column = column_of(field)
        return f"{column} IS NULL, {column}{way}", ()
    table, fields = _place(field)
    of = f"FROM {table} WHERE key = {_KEY_ID} AND run = n"
    arguments = _key_id(field)
    if field.space in _METRICS:
        value = fields[0]
        return f"coalesce((SELECT {value} IS NULL {of}), 2), (SELECT {value} {of}){way}", arguments * 2
    rank = f"coalesce((SELECT CASE WHEN num IS NOT NULL THEN 0 WHEN text = 'nan' THEN 2 ELSE 1 END {of}), 3)"
    return f"{rank}, (SELECT num {of}){way}, (SELECT text {of}){way}", arguments * 3


_KEY_ID = "(SELECT k FROM keys WHERE space = ? AND key = ?)"


def _key_id(field: Field) -> tuple[object, ...]:
    return ("metrics" if field.space in _METRICS else field.space, field.key)


def _place(field: Field) -> tuple[str, tuple[str, ...]]:
    return ("metrics", (_METRICS[field.space],)) if field.space in _METRICS else ("words", ("num", "text"))


def _joined(word: str, parts: Sequence[Sql]) -> Sql:
    """As a balanced tree: SQLite allows a depth of 1,000, and a list may be longer."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    (left, first), (right, second) = _joined(word, parts[:middle]), _joined(word, parts[middle:])
    return f"({left} {word} {right})", first + second


def column_of(field: Field) -> str:
    """The column of an attribute."""
    return f'"{_COLUMNS.get(field.key, field.key)}"'


class _Compiler:
    """One query's conditions."""

    def __init__(self, source: str) -> None:
        self.source = source

    def node(self, node: Node) -> Sql:
        """A condition that is 0 or 1, never NULL."""
        if isinstance(node, Join):
            return _joined(node.word.upper(), [self.node(part) for part in node.parts])
        if isinstance(node, Not):
            sql, arguments = self.node(node.part)
            return f"NOT {sql}", arguments
        return self.has(node) if isinstance(node, Has) else self.test(node)

    def has(self, node: Has) -> Sql:
        """Whether a fact is there; of `archived`, whether it is so."""
        field = node.field
        if field.key == "archived" and not field.space:
            return "archived", ()
        return self.within(field, ("1", ())) if field.space else (f"({column_of(field)} IS NOT NULL)", ())

    def within(self, field: Field, inner: Sql) -> Sql:
        """Whether the run has that metric, parameter or tag, and it fulfils `inner`."""
        table, _ = _place(field)
        sql = f"n IN (SELECT run FROM {table} WHERE key = {_KEY_ID} AND {inner[0]})"  # noqa: S608 - names of our own
        return sql, (*_key_id(field), *inner[1])

    def test(self, test: Test) -> Sql:
        """One comparison; `in` is any of several equalities."""
        op = "=" if test.op == "in" else test.op
        sql, arguments = _joined("OR", [self.compare(test.field, op, value) for value in test.values])
        return self.within(test.field, (sql, arguments)) if test.field.space else (f"coalesce({sql}, 0)", arguments)

    def compare(self, field: Field, op: str, value: Literal) -> Sql:
        """A comparison within the row that holds the fact."""
        if field.space in _METRICS:
            return self.number(_METRICS[field.space], op, value)
        return self.word(op, value) if field.space else self.attribute(field, op, value)

    def attribute(self, field: Field, op: str, value: Literal) -> Sql:
        """An attribute's column."""
        column = column_of(field)
        if field.key in TIMES:
            return self.time(column, op, value)
        if field.key in NUMBERS:
            return self.number(column, op, value) if value.text.lower() != "nan" else ("0", ())
        if field.key == "archived":
            return self.boolean(column, op, value)
        if field.key == "commit" and op in ("=", "!="):
            return _commit(op, value)
        if field.key == "status" and op in ("=", "!="):
            return f"{column} {op} ?", (self.status(value),)
        return self.text(column, op, value, value.text)

    def status(self, value: Literal) -> str:
        """One of those that there are, in any case."""
        text = value.text.upper()
        if text not in STATUSES:
            hint = joining(value.text) or f"it is {', '.join(STATUSES[:-1])} or {STATUSES[-1]}"
            raise bad_query(self.source, value.at, f"there is no status {shorten(value.text)}", hint)
        return text

    def number(self, column: str, op: str, value: Literal) -> Sql:
        """A number; `= nan` is whether it is none. Every other comparison with NaN is false, as SQL's NULL is."""
        if op in ("~", "!~", "like"):
            raise bad_query(self.source, value.at, f"`{op}` is for texts, and this is a number")
        number = number_of(value.text)
        if number is None:
            hint = joining(value.text) or "as 3, 0.1, 1e-2, inf or nan"
            raise bad_query(self.source, value.at, "a number is expected", hint)
        if math.isnan(number):
            return {"=": f"{column} IS NULL", "!=": f"{column} IS NOT NULL"}.get(op, "0"), ()
        return f"{column} {op} ?", (number,)

    def word(self, op: str, value: Literal) -> Sql:
        """A parameter or tag: as a number when both are one, else as text."""
        number = number_of(value.text)
        if number is None or math.isnan(number) or op in ("~", "!~", "like"):
            return self.text("text", op, value, value.text)
        if op in _ORDERED:
            return f"num {op} ?", (number,)
        same = "(text = ? OR coalesce(num = ?, 0))"
        return same if op == "=" else f"NOT {same}", (value.text, number)

    def text(self, column: str, op: str, value: Literal, text: str) -> Sql:
        """A text: compared by code points."""
        if op == "like":
            return f"{column} LIKE ? ESCAPE '\\'", (text,)
        if op in ("~", "!~"):
            self._check_pattern(value)
            return f"{'NOT ' if op == '!~' else ''}matches(?, {column})", (text,)
        return f"{column} {op} ?", (text,)

    def _check_pattern(self, value: Literal) -> None:
        try:
            re.compile(value.text)
        except (re.error, RecursionError, OverflowError) as error:
            hint = "as Python's `re` has them: '^resnet' begins with it, '(a|b)$' ends with one of two"
            raise bad_query(self.source, value.at, f"the regular expression is wrong ({error})", hint) from error

    def boolean(self, column: str, op: str, value: Literal) -> Sql:
        """True or false."""
        truth = {"true": 1, "false": 0, "1": 1, "0": 0}.get(value.text.lower())
        if truth is None or op not in ("=", "!="):
            raise bad_query(self.source, value.at, "it is true or false", "`archived`, or `not archived`")
        return f"{column} {op} ?", (truth,)

    def time(self, column: str, op: str, value: Literal) -> Sql:
        """A time, in microseconds since 1970; one that is less exact is equal to all that lies in it."""
        if op in ("~", "!~", "like"):
            raise bad_query(self.source, value.at, f"`{op}` is for texts, and this is a time")
        try:
            begin, end = time_span(value.text)
        except (ValueError, OverflowError) as error:
            hint = "as '2026-11-23', '2026-11-23 09:15' or '2026-11-23T09:15:02+01:00'; UTC where no offset is given"
            raise bad_query(self.source, value.at, "a time is expected", hint) from error
        if op in ("=", "!="):
            sql = f"({column} >= ? AND {column} < ?)"
            return sql if op == "=" else f"NOT {sql}", (begin, end)
        edge = end - 1 if op == "<=" else begin
        return f"{column} {op} ?", (edge,)


def _commit(op: str, value: Literal) -> Sql:
    """The run's own commit, or the one it started at, by a prefix of four digits or more."""
    text = value.text.lower()
    if not re.fullmatch("[0-9a-f]{4,64}", text):
        return f"code {op} ?", (text,)
    sql = "(coalesce(substr(code, 1, ?) = ?, 0) OR substr(run_commit, 1, ?) = ?)"
    return sql if op == "=" else f"NOT {sql}", (len(text), text) * 2


def number_of(text: str) -> float | int | None:
    """The number that a text is, or None."""
    if not re.fullmatch(
        r"[+-]?(?:\d{1,40}\.?\d{0,40}(?:[eE][+-]?\d{1,4})?|\.\d{1,40}(?:[eE][+-]?\d{1,4})?|inf|nan)", text, re.ASCII
    ):
        return None
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else float(text)


def time_span(text: str) -> tuple[int, int]:
    """The microseconds since 1970 at which a day, minute, second or moment begins and the next one does. Raises ValueError."""
    step = next((step for form, step in _STEPS if form.fullmatch(text)), _MICROSECOND)
    found = datetime.fromisoformat(text)
    begin = found if found.tzinfo else found.replace(tzinfo=UTC)
    return microseconds(begin), microseconds(begin) + step // _MICROSECOND


def microseconds(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND
