"""The local object database (spec: cache.md): objects appear whole, durable and under their own hash, or not at all."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gitmlog.core.atomic import sync_filesystem, sync_path
from gitmlog.core.digest import ObjectId, hash_bytes, hash_fd, is_object_id
from gitmlog.core.errors import DataError, MissingDataError
from gitmlog.core.locks import locked
from gitmlog.core.paths import display
from gitmlog.core.session import Session, session

FEW = 16
"""Up to this many files are synced one by one; beyond, one syncfs costs less."""


class Cache:
    """Objects below `root`. Creating one touches nothing; the first write makes the folders.

    Attributes:
        root: the folder.
        user: the git directory that uses it; where the folder does not lie in that, it says so to gc (`note_user`).
        read_only: it is somebody else's: nothing is written, renamed or locked there.
    """

    def __init__(self, root: Path, *, user: Path | None = None, read_only: bool = False) -> None:
        self.root = root
        self.user = user
        self.read_only = read_only
        self._noted = False
        self.objects = root / "objects"
        self.trash = root / "trash"
        self.quarantine = root / "quarantine"
        self.lock = root / "lock"
        self.shared = root / "shared"
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
        if self.read_only or not os.path.isdir(self.trash):
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
            raise corrupt_object(oid, moved=self.set_aside(oid))
        return bytes(data)

    def set_aside(self, oid: ObjectId) -> bool:
        """Move a damaged object to quarantine, so that it is never taken for the real one; returns whether it was moved.

        It is hashed first: one whose bytes are those of its name stays, whatever somebody else says about it.
        """
        if self.read_only or self.is_whole(oid):
            return False
        self.quarantine.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(self.name_of(oid), self.quarantine / oid)
        except FileNotFoundError:
            return False
        return True

    def is_whole(self, oid: ObjectId) -> bool:
        """Whether the object is there and its bytes, all read, are those of its name. What the disk cannot read is not whole."""
        return _is_whole(self.name_of(oid), oid)

    def take_back(self) -> list[ObjectId]:
        """Put whole objects that lie in quarantine back into their place; returns those."""
        taken = []
        for entry in _scan(self.quarantine):
            oid = ObjectId(entry.name)
            if is_object_id(oid) and not self.has(oid) and _is_whole(entry.path, oid):
                folder = self.path_of(oid).parent
                folder.mkdir(parents=True, exist_ok=True)
                os.chmod(entry.path, 0o444)
                os.rename(entry.path, self.name_of(oid))
                _sync([os.fspath(folder), os.fspath(self.objects)], self.objects)
                taken.append(oid)
        return taken

    def __iter__(self) -> Iterator[ObjectId]:
        """Every object in the cache, in no order."""
        for folder in _scan(self.objects):
            for entry in _scan(folder):
                oid = folder.name + entry.name
                if is_object_id(oid):
                    yield ObjectId(oid)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Add objects. What was staged is committed at a clean end, and forgotten at an error.

        Raises:
            OSError: the disk is full, read-only, or fails; nothing half-written is left.
        """
        with self.in_use(), session(self.root / "tmp") as temporary:
            writer = Writer(self, temporary)
            yield writer
            writer.commit()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep gc from taking objects out while a command relies on them."""
        if self.read_only:
            yield
            return
        self.note_user()
        with locked(self.lock, shared=True):
            yield

    @property
    def is_elsewhere(self) -> bool:
        """Whether the folder does not really lie in the git directory that uses it: others may use it too."""
        return self.user is not None and not Path(os.path.realpath(self.root)).is_relative_to(os.path.realpath(self.user))

    def users(self) -> list[str]:
        """The git directories that said that they use this cache and do not hold it, as messages show them."""
        try:
            return self.shared.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def note_user(self) -> None:
        """Write down, durably, that a git directory uses this cache which does not hold it: gc of the one that does must know."""
        if self._noted or not self.is_elsewhere:
            return
        line = display(os.path.realpath(self.user or ""))
        if line not in self.users():
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                fd = os.open(self.shared, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError as error:
                if error.errno in (errno.EROFS, errno.EACCES):
                    return  # nobody can collect garbage from here either, and the owner was told by whoever set it up
                raise
            try:
                os.write(fd, f"{line}\n".encode())
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_path(self.root)
        self._noted = True


class _Staged(NamedTuple):
    path: str
    oid: ObjectId
    size: int
    sealed: bool


class Writer:
    """Objects on their way into a cache. Thread-safe."""

    def __init__(self, cache: Cache, temporary: Session) -> None:
        self.cache = cache
        self._session = temporary
        self._staged: list[_Staged] = []
        self._kept: set[str] = set()
        self._guard = threading.Lock()
        self._listing: set[ObjectId] | None = None

    def temporary(self) -> Path:
        """A fresh name on the cache's file system."""
        return self._session.name()

    def fresh_name(self) -> str:
        """`temporary` as a string, for loops over many files."""
        return self._session.fresh_name()

    def expect_many(self) -> None:
        """List the cache once, so that `holds` needs no stat for each of many new objects."""
        self._listing = set(self.cache)

    def holds(self, oid: ObjectId, data: bytes) -> bool:
        """Whether the cache has exactly these bytes under `oid`; it is made durable by `commit` like what is staged."""
        if self._listing is not None and oid not in self._listing:
            return False
        if self.cache.size(oid) != len(data):
            return False
        name = self.cache.name_of(oid)
        with open(name, "rb", buffering=0) as stream:
            whole = stream.readall() == data
        if whole:
            with self._guard:
                self._kept.add(os.path.dirname(name))
        return whole

    def stage(self, temporary: str | os.PathLike[str], oid: ObjectId, size: int, *, sealed: bool = False) -> None:
        """Hand over a finished file of `size` bytes whose hash is `oid`; `sealed` if it has the mode of an object already."""
        with self._guard:
            self._staged.append(_Staged(os.fspath(temporary), oid, size, sealed))

    def put(self, data: bytes) -> ObjectId:
        """Stage these bytes; returns their id."""
        oid = hash_bytes(data)
        if not self.holds(oid, data):
            path = self.temporary()
            path.write_bytes(data)
            self.stage(path, oid, len(data))
        return oid

    def commit(self) -> None:
        """Make what was staged durable and visible (spec: cache.md, Writing, 2 to 4)."""
        with self._guard:
            staged, self._staged = self._staged, []
            kept, self._kept = self._kept, set()
        if not staged and not kept:
            return
        _sync([item.path for item in staged], self._session.folder)
        folders = kept | {self._publish(item) for item in staged}
        _sync([*folders, os.fspath(self.cache.objects)], self.cache.objects)

    def _publish(self, item: _Staged) -> str:
        """An object that is there already is replaced: the bytes that were hashed just now are better known than its own."""
        name = self.cache.name_of(item.oid)
        folder = os.path.dirname(name)
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


def _is_whole(name: str, oid: ObjectId) -> bool:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return hash_fd(fd, os.fstat(fd).st_size)[0] == oid
        finally:
            os.close(fd)
    except OSError:
        return False


def missing_object(oid: ObjectId, what: str = "") -> MissingDataError:
    """The error for an object that is not in the cache; `what` is the path it belongs to."""
    message = f"the bytes of {what} are not in the cache" if what else f"object {oid[:12]} is not in the cache"
    return MissingDataError(message, hint="run `gitmlog pull`")


def corrupt_object(oid: ObjectId, *, moved: bool = True) -> DataError:
    """The error for an object whose bytes are not those of its name."""
    where = " (moved to quarantine)" if moved else ""
    return DataError(
        f"object {oid[:12]} is damaged: its bytes are not those of its name{where}",
        hint="run `gitmlog verify --repair` to fetch a whole copy from the remote",
    )
