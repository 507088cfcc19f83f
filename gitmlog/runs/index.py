"""The index of all runs: a SQLite file, made from git's tags and made anew at will (spec: tags.md, Reading many)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gitmlog.core.errors import DataError, MissingDataError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.toml import shorten
from gitmlog.git.repository import GitRepo
from gitmlog.git.tags import read_tag, refs_below, refs_state
from gitmlog.runs.index_schema import VERSION, Entry, create, delete, insert, showing
from gitmlog.runs.query_sql import Sql
from gitmlog.runs.reader import VERSION as READS
from gitmlog.runs.record import is_run_id
from gitmlog.runs.stored import load_record
from gitmlog.runs.tags import ARCHIVE, PREFIX, parse_tag

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_PREFIXES = (PREFIX, ARCHIVE)
_REFUSED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What Python and SQLite raise for a value that they have no room for."""
_BATCH = 2_000
_WAIT = 60.0
_LONGEST_TEXT = 4_096
ANY: Sql = ("1", ())
_NEWEST: Sql = ("started DESC, id DESC", ())


class Index:
    """The runs of one repository, as they were at the first question: that brings the file up to date with git."""

    def __init__(self, repo: GitRepo, path: Path, progress: Progress = SILENT) -> None:
        self.repo = repo
        self.path = path
        self.progress = progress
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; the next question opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def search(
        self, where: Sql, order: Sql = _NEWEST, limit: int | None = None, *, offset: int = 0, live: Sequence[Entry] = ()
    ) -> tuple[list[Entry], int]:
        """The entries that fulfil a condition, in an order, at most `limit`; and how many fulfil it.

        `live` are runs that are going on; one that is recorded by now is left out.
        """

        def question(connection: sqlite3.Connection) -> tuple[list[Entry], int]:
            going = _numbered(connection, live)
            with showing(connection, going):
                numbers, total = _chosen(connection, where, order, limit, offset)
            return [going[number] if number in going else _entry(connection, number) for number in numbers], total

        return self._ask(question)

    def problems(self) -> list[str]:
        """What is the matter with tags that are left out."""
        return self._ask(lambda connection: [text for (text,) in connection.execute("SELECT problem FROM bad ORDER BY ref")])

    def names(self) -> list[tuple[str, str]]:
        """Id and name of every run, newest first."""
        return self._ask(lambda connection: list(connection.execute("SELECT id, name FROM runs ORDER BY started DESC, id DESC")))

    def keys(self, space: str) -> list[str]:
        """The names of all "metrics", "params" or "tags" that any recorded run ever had, sorted."""
        query = "SELECT key FROM keys WHERE space = ? ORDER BY key"
        return self._ask(lambda connection: [key for (key,) in connection.execute(query, (space,))])

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer from the file; from memory where it is damaged twice, read-only, full or busy."""
        import sqlite3

        for _ in range(2):
            try:
                return question(self._open(str(self.path)))
            except sqlite3.OperationalError as error:
                self.close()
                if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # that one is about another's tables; the rest is the disk's
                    break
                self._discard()
            except (sqlite3.Error, ValueError, TypeError):
                self._discard()
        return question(self._open(":memory:"))

    def _open(self, place: str) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect(place)
            self._refresh(self._connection)
        return self._connection

    def _connect(self, place: str) -> sqlite3.Connection:
        import sqlite3

        if place != ":memory:":
            with suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
        # A rollback journal, not a write-ahead log: it can be read where nothing may be written.
        connection = sqlite3.connect(place, timeout=_WAIT, isolation_level=None)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.create_function("matches", 2, _matches, deterministic=True)
        return connection

    def _discard(self) -> None:
        self.close()
        for suffix in ("", "-journal"):
            with suppress(OSError):
                os.unlink(f"{self.path}{suffix}")

    def _refresh(self, connection: sqlite3.Connection) -> None:
        if self._is_current(connection):
            return
        with _writing(connection):
            if not _has_version(connection):
                create(connection)
            state = refs_state(self.repo.commondir, _PREFIXES)
            if not self._is_current(connection):  # another process may have done it while this one waited
                _Update(connection, self.repo, self.progress).run()
                known = _known_as(state.text) if state.settled else ""
                connection.execute("INSERT OR REPLACE INTO facts VALUES ('refs', ?)", (known,))

    def _is_current(self, connection: sqlite3.Connection) -> bool:
        if not _has_version(connection):
            return False
        found = connection.execute("SELECT value FROM facts WHERE name = 'refs'").fetchone()
        return found is not None and found[0] == _known_as(refs_state(self.repo.commondir, _PREFIXES).text)


class _Update:
    """Bringing the tables up to date: only tags that are new are read."""

    def __init__(self, connection: sqlite3.Connection, repo: GitRepo, progress: Progress) -> None:
        self.connection = connection
        self.repo = repo
        self.progress = progress
        self.bad: dict[str, tuple[str, str]] = {}
        self.seen = {ref: (seen, problem) for ref, seen, problem in connection.execute("SELECT ref, seen, problem FROM bad")}

    def run(self) -> None:
        """Read the refs, then what is new."""
        known = {identity: (n, ref, tag) for n, identity, ref, tag in self.connection.execute("SELECT n, id, ref, tag FROM runs")}
        refs = self._by_id()
        delete(self.connection, [n for identity, (n, _, _) in known.items() if identity not in refs])
        fresh: list[tuple[str, str]] = []
        for identity, found in refs.items():
            ref, oid = self._choose(identity, found, known[identity][2] if identity in known else "")
            if identity not in known:
                self._take(ref, oid, fresh)
            elif ref and ref != known[identity][1]:
                self.connection.execute(
                    "UPDATE runs SET ref = ?, archived = ? WHERE id = ?", (ref, ref.startswith(ARCHIVE), identity)
                )
        self._read(fresh)
        self.connection.execute("DELETE FROM bad")
        rows = [(display(ref), seen, _plain(problem)) for ref, (seen, problem) in self.bad.items()]
        self.connection.executemany("INSERT INTO bad VALUES (?, ?, ?)", rows)

    def _take(self, ref: str, oid: str, fresh: list[tuple[str, str]]) -> None:
        before = self.seen.get(ref)
        if before is not None and before[0] == _seen(oid):
            self.bad[ref] = before
        else:
            fresh.append((ref, oid))

    def _by_id(self) -> Mapping[str, dict[str, str]]:
        """Id -> ref -> object, the oldest first."""
        found: dict[str, dict[str, str]] = {}
        for ref, oid in sorted(refs_below(self.repo.commondir, _PREFIXES).items(), key=lambda item: item[0].rpartition("/")[2]):
            identity = ref.rpartition("/")[2]
            if is_run_id(identity):
                found.setdefault(identity, {})[ref] = oid
            else:
                self.bad[ref] = "", f"tag {display(ref.removeprefix('refs/tags/'))}: its name has not the form of a run's id"
        return found

    def _choose(self, identity: str, refs: Mapping[str, str], known: str) -> tuple[str, str]:
        """The ref that counts: the one that names what was seen before, else the tag. ("", "") when none does.

        Of two that name the same it is the archive's: `git fetch` brings the tag back as long as a git remote has it.
        """
        order = [PREFIX + identity, ARCHIVE + identity]
        present = [(ref, refs[ref]) for ref in order if ref in refs]
        same = [item for item in present if item[1] == (known or present[0][1])]
        chosen = same[-1] if same else ("", "")
        for ref, oid in present:
            if oid != (known or chosen[1]):
                change = f"from {(known or chosen[1])[:12]} to {oid[:12] or 'nothing'}"
                name = display(ref.removeprefix("refs/tags/"))
                self.bad[ref] = "", f"tag {name} was changed {change}: run tags never change; what was read first is shown"
        return chosen

    def _read(self, fresh: Sequence[tuple[str, str]]) -> None:
        number = (self.connection.execute("SELECT max(n) FROM runs").fetchone()[0] or 0) + 1
        with self.progress.task("reading runs", len(fresh)) as task:
            for start in range(0, len(fresh), _BATCH):
                entries = []
                for ref, oid in fresh[start : start + _BATCH]:
                    with self._noting(ref, oid):
                        entries.append((number, read_entry(self.repo, ref, oid)))
                        number += 1
                    task.advance()
                self._insert(entries)

    def _insert(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """All at once; where that is refused, one by one, so that only the one that it is about is left out."""
        try:
            with _all_or_nothing(self.connection):
                insert(self.connection, entries)
        except _REFUSED:
            for number, entry in entries:
                with self._noting(entry.ref, entry.tag_object), _all_or_nothing(self.connection):
                    insert(self.connection, [(number, entry)])

    @contextmanager
    def _noting(self, ref: str, oid: str) -> Iterator[None]:
        """Keep what is wrong with an object, so that it is not read again; what is missing may come."""
        try:
            yield
        except MissingDataError as error:
            self.bad[ref] = "", error.message
        except DataError as error:
            self.bad[ref] = _seen(oid), error.message
        except _REFUSED as error:  # anybody may have pushed it: it is this one's problem, and not the others'
            name = display(ref.removeprefix("refs/tags/"))
            self.bad[ref] = "", f"tag {name} could not be read: {type(error).__name__}: {shorten(str(error))}"


def _seen(oid: str) -> str:
    """A newer version of records may make a good one of it."""
    return f"{READS} {oid}"


def read_entry(repo: GitRepo, ref: str, oid: str) -> Entry:
    """The run whose tag is the object `oid`, under `ref`. Raises DataError, kinds `bad-run` and `newer-version`."""
    tag = read_tag(repo, ref, oid)
    record = parse_tag(tag.message, tag.name)
    if record.id != ref.rpartition("/")[2]:
        hint = "a tag that was copied under another name: nothing of it was used"
        raise DataError(
            f"tag {display(ref.removeprefix('refs/tags/'))}: it says that it is {record.tag}", kind="bad-run", hint=hint
        )
    return Entry(record, tag.target, oid, ref, ref.startswith(ARCHIVE))


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("SAVEPOINT entries")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK TO entries")
        raise
    finally:
        connection.execute("RELEASE entries")


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _has_version(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == VERSION)


def _known_as(state: str) -> str:
    """One that reads a newer version of records than the one before it looks again at what was refused."""
    return f"{READS}\n{state}"


def _numbered(connection: sqlite3.Connection, live: Sequence[Entry]) -> dict[int, Entry]:
    """Numbers below zero for runs that are going on."""
    if not live:
        return {}
    going = [each for each in live if not connection.execute("SELECT 1 FROM runs WHERE id = ?", (each.record.id,)).fetchone()]
    return {-place: each for place, each in enumerate(going, 1)}


def _chosen(connection: sqlite3.Connection, where: Sql, order: Sql, limit: int | None, offset: int) -> tuple[list[int], int]:
    """The numbers of the runs that are asked for, and how many there are without the limit."""
    query = f"SELECT n FROM runs WHERE {where[0]} ORDER BY {order[0]}"  # noqa: S608 - names of our own
    if where == ANY and limit is not None:
        rows = connection.execute(f"{query} LIMIT ? OFFSET ?", (*order[1], limit, offset))
        return [number for (number,) in rows], connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    numbers = [
        number for (number,) in connection.execute(query, (*where[1], *order[1]))
    ]  # once: a condition costs more than a row
    return numbers[offset : None if limit is None else offset + limit], len(numbers)


def _entry(connection: sqlite3.Connection, number: int) -> Entry:
    query = "SELECT ref, tag, run_commit, archived, json FROM runs JOIN records USING (n) WHERE n = ?"
    ref, tag, commit, archived, text = connection.execute(query, (number,)).fetchone()
    return Entry(load_record(text), commit, tag, ref, bool(archived))


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _matches(pattern: str, text: str | None) -> bool | None:
    return None if text is None else _compiled(pattern).search(text[:_LONGEST_TEXT]) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
