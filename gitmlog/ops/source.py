"""What a path is at a revision, and its bytes: from the cache, else from the remote."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from gitmlog.core.atomic import READ_FLAGS, is_regular
from gitmlog.core.digest import CHUNK, ObjectId, new_hasher
from gitmlog.core.errors import DataError, MissingDataError, NotFoundError, UsageError
from gitmlog.core.paths import display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.metafile.tree import TreeEntry, parse_tree
from gitmlog.ops.revision import as_revision
from gitmlog.ops.sync import connect
from gitmlog.remote.base import Remote
from gitmlog.repo.workspace import Workspace
from gitmlog.store.cache import Cache, corrupt_object


class Objects:
    """Objects by id: those of `cache`, and what it lacks, fetched into `store` (the same cache, or a temporary one)."""

    def __init__(self, cache: Cache, store: Cache, remote: Callable[[], Remote], progress: Progress = SILENT) -> None:
        self.cache = cache
        self.store = store
        self.progress = progress
        self._remote = remote

    @classmethod
    def of(cls, ws: Workspace, progress: Progress = SILENT) -> Objects:
        """Those of the repository itself."""
        return cls(ws.cache, ws.cache, lambda: connect(ws, None), progress)

    @cached_property
    def remote(self) -> Remote:
        """The remote, opened when it is first needed."""
        return self._remote()

    def holder(self, oid: ObjectId) -> Cache:
        """The cache that has the object, or the one that it would be fetched into."""
        return self.cache if self.cache.has(oid) else self.store

    def ensure(self, sizes: Mapping[ObjectId, int], names: Mapping[ObjectId, str]) -> None:
        """Fetch those objects (id -> bytes) that no cache has; `names` says what errors call them.

        Raises:
            MissingDataError: the remote does not have one, or there is no remote.
            DataError: kind `corrupt`: the remote holds one damaged.
            RemoteError, RefusedError (kind `remote-changed`).
        """
        absent = [oid for oid in sizes if not self.cache.has(oid) and not self.store.has(oid)]
        if not absent:
            return
        from gitmlog.store.odb import CacheDB

        remote = self._remote_for(names.get(absent[0], absent[0][:12]))
        result = remote.receive(CacheDB(self.store), absent, progress=self.progress, sizes=sizes)
        for oid, reason in result.failed.items():
            raise DataError(f"{display(names.get(oid, oid[:12]))} could not be fetched: {reason}")
        if result.missing:
            oid = min(result.missing)
            message = f"{display(names.get(oid, oid[:12]))} is neither in the cache nor on remote {remote.spec.name!r}"
            raise MissingDataError(message, hint="whoever added it still has to run `gitmlog push`")

    def _remote_for(self, name: str) -> Remote:
        try:
            return self.remote
        except NotFoundError as error:
            if error.kind != "no-remote":
                raise
            message = f"the bytes of {display(name)} are not in the cache, and no remote is configured"
            raise MissingDataError(message, hint=error.hint) from error

    def tree(self, facts: DirectoryFacts, where: str) -> tuple[TreeEntry, ...]:
        """The tree of a tracked directory, fetched when it is needed. Raises as `ensure`, and DataError."""
        name = f"the tree of {where}"
        self._ensure_tree(facts.blake3, name)
        return parse_tree(self.holder(facts.blake3).read(facts.blake3), name)

    def _ensure_tree(self, oid: ObjectId, name: str) -> None:
        if not self.cache.has(oid) and not self.store.has(oid):
            remote = self._remote_for(name)
            from gitmlog.store.odb import CacheDB

            result = remote.receive(CacheDB(self.store), [oid], progress=self.progress)
            if not result.sent and not result.present:
                reason = result.failed.get(oid, f"it is not on remote {remote.spec.name!r}")
                raise MissingDataError(
                    f"{name} could not be fetched: {reason}", hint="whoever added it has to run `gitmlog push`"
                )

    def pieces(self, entry: TreeEntry) -> Iterator[bytes]:
        """The bytes of one object, hashed as they go.

        Raises:
            DataError: kind `corrupt`, after the last piece: what was yielded is not what it should be.
        """
        holder = self.holder(entry.oid)
        hasher = new_hasher(threads=entry.size >= CHUNK)
        with holder.open(entry.oid) as stream:
            while data := stream.read(CHUNK):
                hasher.update(data)
                yield data
        if hasher.hexdigest() != entry.oid:
            raise corrupt_object(entry.oid, moved=holder.set_aside(entry.oid))

    def open(self, entry: TreeEntry) -> BinaryIO:
        """A seekable stream of one object, hashed whole before it is handed out. Raises DataError, kind `corrupt`."""
        holder = self.holder(entry.oid)
        stream = open(holder.name_of(entry.oid), "rb")  # noqa: SIM115 - handed out open
        try:
            hasher = new_hasher(threads=entry.size >= CHUNK)
            while data := stream.read(CHUNK):
                hasher.update(data)
            if hasher.hexdigest() != entry.oid:
                raise corrupt_object(entry.oid, moved=holder.set_aside(entry.oid))
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream


@dataclass(frozen=True)
class Source:
    """What a path is at a revision: a file that git keeps itself, or a tracked path or a part of one.

    Attributes:
        where: how messages call it.
        name: the last component of the path.
        plain: the bytes, when git keeps them.
        metafile: of the tracked path, when gitmlog does.
        part: the path below the tracked directory; "" for all of it.
    """

    where: str
    name: str
    plain: bytes | None = None
    metafile: Metafile | None = None
    part: str = ""

    def entries(self, objects: Objects) -> dict[str, TreeEntry]:
        """What it holds, by path below it ("" for a file). Raises NotFoundError, kind `no-path`, and as Objects.tree."""
        if self.metafile is None:
            return {}
        facts = self.metafile.facts
        if isinstance(facts, FileFacts):
            return {"": TreeEntry("", "x" if facts.executable else "-", facts.blake3, facts.size)}
        entries = {entry.path: entry for entry in objects.tree(facts, self.where)}
        if not self.part:
            return entries
        if self.part in entries:
            return {"": entries[self.part]}
        prefix = f"{self.part}/"
        below = {name.removeprefix(prefix): entry for name, entry in entries.items() if name.startswith(prefix)}
        if not below:
            raise _no_path(self.where)
        return below

    def file(self, objects: Objects) -> TreeEntry:
        """The one file that it is, with its bytes at hand.

        Raises:
            UsageError: kind `is-directory`.
            NotFoundError, MissingDataError, DataError, RemoteError.
        """
        entries = self.entries(objects)
        if "" not in entries:
            some = min(entries, default="")
            hint = f"name a file of it: {display(f'{self.where}/{some}')}" if some else ""
            raise UsageError(f"{display(self.where)} is a directory", kind="is-directory", hint=hint)
        entry = entries[""]
        objects.ensure({entry.oid: entry.size}, {entry.oid: self.where})
        return entry


def _no_path(where: str) -> NotFoundError:
    return NotFoundError(f"there is no {display(where)}", kind="no-path", hint="`git ls-tree -r --name-only REV` lists the files")


def at_revision(ws: Workspace, revision: str, path: str) -> Source:
    """What `path` (from the top of the working tree) is in a commit.

    Raises:
        NotFoundError: kinds `no-revision`, `no-commit`, `no-path`.
        DataError: kinds `bad-metafile`, `newer-version`.
    """
    where, name = f"{revision}:{path}", path.rpartition("/")[2]
    revision = as_revision(ws, revision)
    plain = ws.git.file_at(revision, path)
    if plain is not None:
        return Source(where, name, plain)
    for owner in _owners(path):
        text = ws.git.file_at(revision, metafile_of(owner))
        if text is not None:
            metafile = parse_metafile(text, f"{revision}:{metafile_of(owner)}")
            return _tracked(where, name, metafile, path.removeprefix(owner).lstrip("/"))
    raise _no_path(where)


def _owners(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _tracked(where: str, name: str, metafile: Metafile, part: str) -> Source:
    if part and not metafile.is_directory:
        raise _no_path(where)
    return Source(where, name, None, metafile, part)


def in_worktree(ws: Workspace, path: str) -> Source:
    """What the working tree's metafile of `path` says, or, where there is none, the working tree's own file.

    Raises:
        NotFoundError: kind `no-path`.
        DataError: kinds `bad-metafile`, `newer-version`.
    """
    name, owner = path.rpartition("/")[2], ws.owner(path)
    if owner is not None:
        return _tracked(path, name, ws.metafile(owner), path.removeprefix(owner).lstrip("/"))
    try:
        fd = os.open(ws.root / path, READ_FLAGS)
    except OSError as error:
        raise NotFoundError(f"{display(path)} cannot be read: {error.strerror}", kind="no-path") from error
    with open(fd, "rb") as stream:
        if not is_regular(os.fstat(fd)):
            raise UsageError(f"{display(path)} is no file", kind="is-directory", hint="name a file")
        return Source(path, name, stream.read())


def split_spec(spec: str) -> tuple[str | None, str]:
    """ "REV:PATH" or "PATH" taken apart; a ":" in "@{…}", and in a run's "best:metrics.acc", belongs to the revision."""
    if spec.startswith("best:") and spec.count(":") > 1:
        revision, _, path = spec.rpartition(":")
        return revision, path
    depth = 0
    for place, character in enumerate(spec):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == ":" and depth <= 0:
            if not place:
                raise UsageError(f"{display(spec)} names no revision", hint="write REV:PATH, or PATH for the working tree's")
            return spec[:place], spec[place + 1 :]
    return None, spec


def clean_path(path: str) -> str:
    """A path from the top of a repository, as git writes it. Raises UsageError, kind `bad-path`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or path.startswith("/"):
        hint = "write it as git does: from the top of the repository, without .."
        raise UsageError(f"{display(path)} is no path in a repository", kind="bad-path", hint=hint)
    return "/".join(parts).removesuffix("/")
