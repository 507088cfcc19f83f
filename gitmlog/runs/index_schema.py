"""The tables of the index of runs, and what a record is in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitmlog.core.canonical import value_text
from gitmlog.runs.query_sql import microseconds, number_of
from gitmlog.runs.reader import MAX_SIZE
from gitmlog.runs.record import ParamValue, RunRecord
from gitmlog.runs.stored import dump_record

if TYPE_CHECKING:
    import sqlite3

VERSION = 1

TABLES = {
    "runs": "n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, ref TEXT, tag TEXT, run_commit TEXT, archived INTEGER NOT NULL, "
    'name TEXT, status TEXT, started INTEGER, ended INTEGER, seconds REAL, "user" TEXT, host TEXT, code TEXT, branch TEXT, '
    'parent TEXT, "exit" INTEGER',
    "records": "n INTEGER PRIMARY KEY, json TEXT NOT NULL",
    "keys": "k INTEGER PRIMARY KEY, space TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (space, key)",
    "metrics": "key INTEGER, run INTEGER, last, least, most, PRIMARY KEY (key, run)",
    "words": "key INTEGER, run INTEGER, num, text TEXT, PRIMARY KEY (key, run)",
    "bad": "ref TEXT PRIMARY KEY, seen TEXT NOT NULL, problem TEXT NOT NULL",
    "facts": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
}
_CLUSTERED = ("metrics", "words")
_ASKED = ("runs", "keys", "metrics", "words")
_LIVE = "live_"


@dataclass(frozen=True)
class Entry:
    """A run: its record, its tag's commit, object and ref ("" while it is going on), whether it is archived."""

    record: RunRecord
    commit: str = ""
    tag_object: str = ""
    ref: str = ""
    archived: bool = False


def create(connection: sqlite3.Connection) -> None:
    """Drop all, and make the tables anew."""
    for name, columns in TABLES.items():
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(f"CREATE TABLE {name} ({columns}){' WITHOUT ROWID' if name in _CLUSTERED else ''}")
    connection.execute("CREATE INDEX newest ON runs (started, id)")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def insert(connection: sqlite3.Connection, entries: Iterable[tuple[int, Entry]], prefix: str = "") -> None:
    """Write entries, each with its number."""
    keys = _Keys(connection, prefix)
    runs, records, metrics, words = [], [], [], []
    for number, entry in entries:
        runs.append(_run(number, entry))
        records.append((number, dump_record(entry.record)))
        metrics += [
            (keys.number("metrics", key), number, facts.last, facts.min, facts.max) for key, facts in entry.record.metrics.items()
        ]
        words += [(keys.number("params", key), number, *word(value)) for key, value in entry.record.params.items()]
        words += [(keys.number("tags", key), number, *word(value)) for key, value in entry.record.tags.items()]
    keys.save()
    for table, rows in (("runs", runs), ("metrics", sorted(metrics)), ("words", sorted(words, key=lambda row: row[:2]))):
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {prefix}{table} VALUES ({marks})", rows)  # noqa: S608 - names of our own
    if not prefix:
        connection.executemany("INSERT INTO records VALUES (?, ?)", records)


def delete(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Remove entries by their numbers."""
    gone = [(number,) for number in numbers]
    for table, column in (("runs", "n"), ("records", "n"), ("metrics", "run"), ("words", "run")):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)  # noqa: S608 - names of our own


@contextmanager
def showing(connection: sqlite3.Connection, live: Mapping[int, Entry]) -> Iterator[None]:
    """Let this connection see runs that are going on, by number, as if the tables held them. In the file nothing is written."""
    if not live:
        yield
        return
    try:
        for name in _ASKED:
            connection.execute(f"CREATE TEMP TABLE {_LIVE}{name} ({TABLES[name]})")
        insert(connection, live.items(), _LIVE)
        for name in _ASKED:
            both = f"SELECT * FROM main.{name} UNION ALL SELECT * FROM temp.{_LIVE}{name}"  # noqa: S608 - names of our own
            connection.execute(f"CREATE TEMP VIEW {name} AS {both}")
        yield
    finally:
        for name in _ASKED:
            connection.execute(f"DROP VIEW IF EXISTS temp.{name}")
            connection.execute(f"DROP TABLE IF EXISTS temp.{_LIVE}{name}")


class _Keys:
    """The numbers of names."""

    def __init__(self, connection: sqlite3.Connection, prefix: str) -> None:
        self.connection = connection
        self.prefix = prefix
        self.known = {(space, key): k for k, space, key in connection.execute("SELECT k, space, key FROM main.keys")}
        self.fresh: list[tuple[int, str, str]] = []
        self.step = -1 if prefix else 1
        self.newest = 0 if prefix else max(self.known.values(), default=0)

    def number(self, space: str, key: str) -> int:
        """The number of a name, a new one when it has none."""
        found = self.known.get((space, key))
        if found is None:
            self.newest += self.step
            found = self.known[space, key] = self.newest
            self.fresh.append((found, space, key))
        return found

    def save(self) -> None:
        """Write the new ones."""
        self.connection.executemany(f"INSERT INTO {self.prefix}keys VALUES (?, ?, ?)", self.fresh)  # noqa: S608


def _run(number: int, entry: Entry) -> tuple[object, ...]:
    record = entry.record
    return (
        number,
        record.id,
        entry.ref,
        entry.tag_object,
        entry.commit or None,
        int(entry.archived),
        record.name,
        record.status,
        microseconds(record.started),
        microseconds(record.ended) if record.ended is not None else None,
        record.seconds,
        record.user or None,
        record.host or None,
        record.code.commit or None,
        record.code.branch or None,
        record.parent or None,
        record.exit,
    )


def word(value: ParamValue) -> tuple[float | int | None, str]:
    """A parameter or tag as a number, where it is or looks like one, and as text."""
    if isinstance(value, str):
        return _storable(number_of(value)), value
    if isinstance(value, tuple):
        return None, value_text(value)
    return _storable(value), value_text(value)


def _storable(number: float | int | None) -> float | int | None:
    """What SQLite can hold: NaN and nothing are NULL."""
    if number is None or (isinstance(number, float) and math.isnan(number)):
        return None
    if isinstance(number, int) and abs(number) > MAX_SIZE:
        try:
            return float(number)
        except OverflowError:
            return math.inf if number > 0 else -math.inf
    return int(number) if isinstance(number, bool) else number
