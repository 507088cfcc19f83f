"""What was hashed and need not be hashed again (spec: cache.md, State). Losing it costs time and nothing else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gitmlog.core.digest import ObjectId

_VERSION = 2
_DOUBTFUL = -1  # no inode has this number
_STEP = 10_000_000
_COARSE_STEP = 2_000_000_000
_SNAPSHOTS = (
    "CREATE TABLE IF NOT EXISTS snapshots (root TEXT PRIMARY KEY, oid TEXT NOT NULL, whole INTEGER NOT NULL) WITHOUT ROWID"
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    root TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,
    ino INTEGER NOT NULL, oid TEXT NOT NULL, PRIMARY KEY (root, path)
) WITHOUT ROWID
"""


class Row(NamedTuple):
    """A file as it was when its object was known: bytes, nanoseconds, nanoseconds, inode, object."""

    size: int
    mtime: int
    ctime: int
    ino: int
    oid: ObjectId


def row_of(info: os.stat_result, oid: ObjectId) -> Row:
    """The row for a file with this stat and this object."""
    return Row(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, oid)


def matches(row: Row | None, info: os.stat_result) -> bool:
    """Whether the file with this stat is still the one of `row`."""
    return row is not None and row[:4] == (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)


def is_settled(row: Row, known_since: int) -> bool:
    """Whether a later write in the same tick of the clock would show; `known_since` in nanoseconds since the epoch."""
    newest = max(row.mtime, row.ctime)
    step = _COARSE_STEP if newest % 1_000_000_000 == 0 else _STEP
    return newest + step < known_since


class State:
    """Rows by tracked path (`root`, relative to the working tree) and path below it ("" for a tracked file itself)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._given_up = False

    def load(self, root: str) -> dict[str, Row]:
        """All rows of one tracked path."""
        connection = self._open()
        if connection is None:
            return {}
        query = "SELECT path, size, mtime, ctime, ino, oid FROM files WHERE root = ?"
        try:
            return {row[0]: Row._make(row[1:]) for row in connection.execute(query, (root,))}
        except sqlite3.DatabaseError:
            self._discard()
            return {}

    def objects(self, root: str) -> set[str]:
        """The objects in the rows of one tracked path."""
        connection = self._open()
        if connection is None:
            return set()
        try:
            return {oid for (oid,) in connection.execute("SELECT oid FROM files WHERE root = ?", (root,))}
        except sqlite3.DatabaseError:
            self._discard()
            return set()

    def snapshot(self, root: str) -> ObjectId | None:
        """The object (file or tree) that all rows of one tracked path together are, if that was recorded."""
        return self._one("SELECT oid FROM snapshots WHERE root = ? AND whole", root)

    def last(self, root: str) -> ObjectId | None:
        """The object that gitmlog last knew the whole of one tracked path to be, whatever became of it since."""
        return self._one("SELECT oid FROM snapshots WHERE root = ?", root)

    def _one(self, query: str, root: str) -> ObjectId | None:
        connection = self._open()
        if connection is None:
            return None
        try:
            found = connection.execute(query, (root,)).fetchone()
        except sqlite3.DatabaseError:
            self._discard()
            return None
        return ObjectId(found[0]) if found else None

    def is_unchanged(self, root: str, files: Mapping[str, os.stat_result]) -> bool:
        """Whether the rows of `root` are exactly `files`, by their stat. Quicker than `load` for many files."""
        connection = self._open()
        if connection is None:
            return False
        query = "SELECT path, size, mtime, ctime, ino FROM files WHERE root = ?"
        count = 0
        try:
            for path, size, mtime, ctime, ino in connection.execute(query, (root,)):
                info = files.get(path)
                if info is None or info.st_mtime_ns != mtime or info.st_size != size:
                    return False
                if info.st_ctime_ns != ctime or info.st_ino != ino:
                    return False
                count += 1
        except sqlite3.DatabaseError:
            self._discard()
            return False
        return count == len(files)

    def record(self, root: str, rows: Mapping[str, Row], known_since: int, *, whole: ObjectId | None = None) -> None:
        """Replace the rows of `root`. Those not settled at `known_since` (nanoseconds) keep their name and match no file.

        `whole` names the object that `rows` together are; without it, `last` stays as it was.
        """
        settled = {path for path, row in rows.items() if is_settled(row, known_since)}
        kept = [(root, path, *(row if path in settled else row._replace(ino=_DOUBTFUL))) for path, row in rows.items()]
        marked = [(root, whole, len(settled) == len(rows))] if whole is not None else []
        self._write(
            [
                ("DELETE FROM files WHERE root = ?", [(root,)]),
                ("UPDATE snapshots SET whole = 0 WHERE root = ?", [(root,)]),
                ("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", kept),
                ("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", marked),
            ]
        )

    def forget(self, root: str) -> None:
        """Drop all that is known of one tracked path."""
        gone = [(root,)]
        self._write([("DELETE FROM files WHERE root = ?", gone), ("DELETE FROM snapshots WHERE root = ?", gone)])

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, statements: Sequence[tuple[str, Sequence[tuple[object, ...]]]]) -> None:
        connection = self._open()
        if connection is None:
            return
        try:
            with connection:
                for statement, rows in statements:
                    connection.executemany(statement, rows)
        except sqlite3.OperationalError:
            return  # read-only, full or busy: the next command hashes again
        except sqlite3.DatabaseError:
            self._discard()

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._given_up:
            try:
                self._connection = self._connect()
            except sqlite3.OperationalError:  # busy or not to be opened: do without, and do not wait for it again
                self._given_up = True
            except sqlite3.DatabaseError:
                self._discard()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=10.0, check_same_thread=False)
        try:
            # OFF would let a power cut leave a database that answers wrongly; NORMAL with a log is safe and as quick.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                connection.execute("DROP TABLE IF EXISTS files")
                connection.execute("DROP TABLE IF EXISTS snapshots")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(_SCHEMA)
            connection.execute(_SNAPSHOTS)
        except BaseException:
            connection.close()
            raise
        return connection

    def _discard(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self._path}{suffix}")
