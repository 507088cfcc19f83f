"""Which objects a remote was seen to hold, so that `status` can say "not pushed" without asking it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from gitmlog.core.digest import ObjectId, is_object_id

_COMMIT = "commit:"
_RUN = "run:"
_GIT = "git:"
_SCHEMA = "CREATE TABLE IF NOT EXISTS pushed (remote TEXT NOT NULL, oid TEXT NOT NULL, PRIMARY KEY (remote, oid)) WITHOUT ROWID"


class Pushed:
    """A memory, not a promise: push, verify and gc ask the remote itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, remote: str, oids: Iterable[ObjectId]) -> None:
        """The remote (its URL) was seen to hold these files or whole trees."""
        with suppress(sqlite3.DatabaseError, OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=10.0)) as connection, connection:
                connection.execute(_SCHEMA)
                connection.executemany("INSERT OR IGNORE INTO pushed VALUES (?, ?)", [(remote, oid) for oid in oids])

    def known(self, remote: str) -> set[ObjectId]:
        """All that the remote (its URL) was seen to hold."""
        if not self._path.exists():
            return set()
        try:
            with closing(sqlite3.connect(self._path, timeout=10.0)) as connection:
                rows = connection.execute("SELECT oid FROM pushed WHERE remote = ?", (remote,))
                return {ObjectId(oid) for (oid,) in rows}
        except sqlite3.DatabaseError:
            return set()

    def which(self, remote: str, oids: Iterable[ObjectId]) -> set[ObjectId]:
        """Those of `oids` that the remote was seen to hold; all the others are not read."""
        if not self._path.exists():
            return set()
        query, found = "SELECT 1 FROM pushed WHERE remote = ? AND oid = ?", set[ObjectId]()
        try:
            with closing(sqlite3.connect(self._path, timeout=10.0)) as connection:
                found.update(oid for oid in oids if connection.execute(query, (remote, oid)).fetchone())
        except sqlite3.DatabaseError:
            return set()
        return found

    def holds_objects(self, remote: str) -> bool:
        """Whether the remote (its URL) was seen to hold any object."""
        return any(is_object_id(oid) for oid in self.known(remote))

    def record_commit(self, remote: str, commit: str) -> None:
        """All that this commit and its ancestors need was seen on the remote, or was never here."""
        self.record(remote, [ObjectId(_COMMIT + commit)])

    def commits(self, remote: str) -> list[str]:
        """The commits of `record_commit`."""
        return [oid.removeprefix(_COMMIT) for oid in self.known(remote) if oid.startswith(_COMMIT)]

    def record_runs(self, remote: str, tags: Iterable[str]) -> None:
        """All that the runs of these tag objects need was seen on the remote (its URL)."""
        self.record(remote, [ObjectId(_RUN + tag) for tag in tags])

    def runs(self, remote: str) -> set[str]:
        """The tag objects of `record_runs`."""
        return {oid.removeprefix(_RUN) for oid in self.known(remote) if oid.startswith(_RUN)}

    def record_published(self, git_remote: str, tags: Iterable[str]) -> None:
        """These tag objects of runs were seen on a git remote (its name)."""
        self.record(_GIT + git_remote, [ObjectId(tag) for tag in tags])

    def published(self, git_remotes: Iterable[str]) -> set[str]:
        """The tag objects of runs that were seen on any of these git remotes."""
        return {str(tag) for name in git_remotes for tag in self.known(_GIT + name)}

    def forget_all(self, remote: str) -> None:
        """Nothing is known of the remote (its URL) any more."""
        if self._path.exists():
            with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(self._path, timeout=10.0)) as connection, connection:
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("DELETE FROM pushed WHERE remote = ?", (remote,))

    def forget(self, remote: str, oids: Iterable[ObjectId]) -> None:
        """The remote was seen not to hold these; so no commit is known to be served any more."""
        if not self._path.exists():
            return
        statement, rows = "DELETE FROM pushed WHERE remote = ? AND oid = ?", [(remote, oid) for oid in oids]
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(self._path, timeout=10.0)) as connection, connection:
            connection.execute("PRAGMA secure_delete = ON")  # the pre-push hook looks for names in the file itself
            connection.executemany(statement, rows)
            connection.execute("DELETE FROM pushed WHERE remote = ? AND oid LIKE 'commit:%'", (remote,))
            connection.execute("DELETE FROM pushed WHERE remote = ? AND oid LIKE 'run:%'", (remote,))
