"""The local object database (spec: cache.md): objects appear whole, durable and under their own hash, or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gitmlog.core.atomic import sync_filesystem, sync_path
from gitmlog.core.digest import ObjectId, hash_bytes, is_object_id
from gitmlog.core.errors import DataError, MissingDataError
from gitmlog.core.locks import locked
from gitmlog.core.session import Session, session

FEW = 16
"""Up to this many files are synced one by one; beyond, one syncfs costs less."""


class Cache:
    """Objects below `root`. Creating one touches nothing; the first write makes the folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = root / "objects"
        self.trash = root / "trash"
        self.quarantine = root / "quarantine"
        self.lock = root / "lock"
        self._prefix = f"{self.objects}{os.sep}"

    def path_of(self, oid: ObjectId) -> Path:
        """Where the object is, whether it is there or not."""
        return Path(self.name_of(oid))

    def name_of(self, oid: ObjectId) -> str:
        """`path_of` as a string: one concatenation, for loops over many objects."""
        return f"{self._prefix}{oid[:2]}{os.sep}{oid[2:]}"

    def size(self, oid: ObjectId) -> int | None:
        """Bytes of the object, or None when it is not there. An object in the trash is put back."""
        try:
            return os.stat(self.name_of(oid)).st_size
        except FileNotFoundError:
            return self._rescue(oid)

    def has(self, oid: ObjectId) -> bool:
        """Whether the object is there (its bytes are not read)."""
        return self.size(oid) is not None

    def missing(self, oids: Iterable[ObjectId]) -> list[ObjectId]:
        """Those of `oids` that are not there, in their order."""
        return [oid for oid in oids if not self.has(oid)]

    def _rescue(self, oid: ObjectId) -> int | None:
        if not os.path.isdir(self.trash):
            return None
        trashed = f"{self.trash}{os.sep}{oid[:2]}{os.sep}{oid[2:]}"
        folder = self.path_of(oid).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.rename(trashed, self.name_of(oid))
        except OSError:
            return None
        sync_path(folder)
        return os.stat(self.name_of(oid)).st_size

    def open(self, oid: ObjectId) -> BinaryIO:
        """The object's bytes, unchecked: the caller hashes what it hands on.

        Raises:
            MissingDataError: it is not in the cache.
        """
        try:
            return open(self.name_of(oid), "rb", buffering=0)
        except FileNotFoundError:
            if self._rescue(oid) is not None:
                return open(self.name_of(oid), "rb", buffering=0)
            raise missing_object(oid) from None

    def read(self, oid: ObjectId) -> bytes:
        """All bytes of a small object (a tree), checked against its id.

        Raises:
            MissingDataError: it is not in the cache.
            DataError: kind `corrupt`; the object was moved to quarantine.
        """
        with self.open(oid) as stream:
            data = stream.readall()  # type: ignore[attr-defined]
        if hash_bytes(data) != oid:
            self.set_aside(oid)
            raise corrupt_object(oid)
        return bytes(data)

    def set_aside(self, oid: ObjectId) -> None:
        """Move a damaged object to quarantine, so that it is never taken for the real one."""
        self.quarantine.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            os.rename(self.name_of(oid), self.quarantine / oid)

    def __iter__(self) -> Iterator[ObjectId]:
        """Every object in the cache, in no order."""
        for folder in _scan(self.objects):
            for entry in _scan(folder):
                oid = folder.name + entry.name
                if is_object_id(oid):
                    yield ObjectId(oid)

    @contextmanager
    def writing(self, *, replace: bool = False) -> Iterator[Writer]:
        """Add objects. What was staged is committed at a clean end, and forgotten at an error.

        With `replace`, what is there already is not believed: each object is written anew.

        Raises:
            OSError: the disk is full, read-only, or fails; nothing half-written is left.
        """
        with self.in_use(), session(self.root / "tmp") as temporary:
            writer = Writer(self, temporary, replace=replace)
            yield writer
            writer.commit()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep gc from taking objects out while a command relies on them."""
        with locked(self.lock, shared=True):
            yield


class _Staged(NamedTuple):
    path: str
    oid: ObjectId
    size: int
    sealed: bool


class Writer:
    """Objects on their way into a cache. Thread-safe."""

    def __init__(self, cache: Cache, temporary: Session, *, replace: bool = False) -> None:
        self.cache = cache
        self._session = temporary
        self._replace = replace
        self._staged: list[_Staged] = []
        self._guard = threading.Lock()
        self._listing: set[ObjectId] | None = None

    def temporary(self) -> Path:
        """A fresh name on the cache's file system."""
        return self._session.name()

    def fresh_name(self) -> str:
        """`temporary` as a string, for loops over many files."""
        return self._session.fresh_name()

    def expect_many(self) -> None:
        """List the cache once, so that `lacks` needs no stat for each of many new objects."""
        self._listing = set(self.cache)

    def lacks(self, oid: ObjectId, size: int) -> bool:
        """Whether the cache does not have the object, or has something in its place that is not believed."""
        if self._replace:
            return True
        if self._listing is not None and oid not in self._listing:
            return True
        return self.cache.size(oid) != size

    def stage(self, temporary: str | os.PathLike[str], oid: ObjectId, size: int, *, sealed: bool = False) -> None:
        """Hand over a finished file of `size` bytes whose hash is `oid`; `sealed` if it has the mode of an object already."""
        with self._guard:
            self._staged.append(_Staged(os.fspath(temporary), oid, size, sealed))

    def put(self, data: bytes) -> ObjectId:
        """Stage these bytes; returns their id."""
        oid = hash_bytes(data)
        if self.lacks(oid, len(data)):
            path = self.temporary()
            path.write_bytes(data)
            self.stage(path, oid, len(data))
        return oid

    def commit(self) -> None:
        """Make what was staged durable and visible (spec: cache.md, Writing, 2 to 4)."""
        with self._guard:
            staged, self._staged = self._staged, []
        if not staged:
            return
        _sync([item.path for item in staged], self._session.folder)
        folders = {self._publish(item) for item in staged}
        _sync([*folders, os.fspath(self.cache.objects)], self.cache.objects)

    def _publish(self, item: _Staged) -> str:
        name = self.cache.name_of(item.oid)
        folder = os.path.dirname(name)
        if not self.lacks(item.oid, item.size):
            os.unlink(item.path)
            return folder
        if not item.sealed:
            os.chmod(item.path, 0o444)
        try:
            os.rename(item.path, name)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            os.rename(item.path, name)
        return folder


def _sync(paths: Sequence[str], folder: Path) -> None:
    if len(paths) > FEW:
        sync_filesystem(folder)
    else:
        for path in paths:
            sync_path(path)


def _scan(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def missing_object(oid: ObjectId, what: str = "") -> MissingDataError:
    """The error for an object that is not in the cache; `what` is the path it belongs to."""
    message = f"the bytes of {what} are not in the cache" if what else f"object {oid[:12]} is not in the cache"
    return MissingDataError(message, hint="run `gitmlog pull`")


def corrupt_object(oid: ObjectId) -> DataError:
    """The error for an object whose bytes are not those of its name."""
    return DataError(
        f"object {oid[:12]} is damaged: its bytes are not those of its name (moved to quarantine)",
        hint="run `gitmlog verify --repair` to fetch a whole copy from the remote",
    )
