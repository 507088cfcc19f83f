"""Which run made a commit, or an object."""

from __future__ import annotations

from functools import lru_cache
from types import TracebackType

from gitmlog.core.digest import ObjectId
from gitmlog.ops.runs.find import Found, found_of
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.index import Index
from gitmlog.runs.query_sql import Sql

_OLDEST: Sql = ("started, id", ())


class Makers:
    """Asks the index of runs; open as long as there are questions."""

    def __init__(self, ws: Workspace) -> None:
        self._index = Index(ws.git, ws.home / "runs.db")
        self.of_object = lru_cache(maxsize=10_000)(self._of_object)

    def __enter__(self) -> Makers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._index.close()

    def of_commit(self, commit: str) -> Found | None:
        """The run whose commit this is."""
        return self._first(("run_commit = ?", (commit,)))

    def _of_object(self, oid: ObjectId, path: str) -> Found | None:
        """The first run that has the object among its outputs, rather one that wrote it at `path`. An input is no author."""
        entries, _ = self._index.search(("n IN (SELECT n FROM records WHERE instr(json, ?))", (oid,)), _OLDEST)
        writers = [entry for entry in entries if any(facts.blake3 == oid for facts in entry.record.outputs.values())]
        there = (entry for entry in writers if (facts := entry.record.outputs.get(path)) and facts.blake3 == oid)
        chosen = next(there, writers[0] if writers else None)
        return found_of(chosen) if chosen is not None else None

    def _first(self, where: Sql) -> Found | None:
        entries, _ = self._index.search(where, _OLDEST, 1)
        return found_of(entries[0]) if entries else None
