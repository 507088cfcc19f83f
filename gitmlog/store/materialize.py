"""Writing objects into a working tree: atomically, by the cheapest link that works, and never through a symbolic link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from gitmlog.core.atomic import CREATE_FLAGS, hidden_name, open_folder, write_all
from gitmlog.core.digest import CHUNK, ObjectId, new_hasher
from gitmlog.core.errors import DataError, RefusedError
from gitmlog.core.paths import display
from gitmlog.core.session import Session
from gitmlog.store.cache import Cache, corrupt_object, missing_object
from gitmlog.store.ingest import clone

LINKS = ("reflink", "copy", "hardlink", "symlink")
_MAX_FOLDERS = 64
_CANNOT_LINK = (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EACCES)


class Target:
    """A folder that files are written into, held open so that nobody can swap it for a link.

    Attributes:
        guard: called with (folder descriptor, name) just before a file takes that name; raises to keep what is there.
    """

    def __init__(self, root_fd: int, temporary: Session, links: Sequence[str], umask: int) -> None:
        self._root_fd = root_fd
        self._temporary = temporary
        self._links = list(takewhile(lambda link: link != "copy", links))
        self._folders: dict[tuple[str, ...], int] = {}
        self._mode = 0o666 & ~umask
        self._rename_inside = False
        self.guard: Callable[[int, str], None] | None = None

    def close(self) -> None:
        """Close all folders."""
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()

    def folder(self, parts: tuple[str, ...]) -> int:
        """A descriptor of a folder below the root, made when it is missing; owned by this object."""
        fd = self._folders.get(parts)
        if fd is None:
            if len(self._folders) >= _MAX_FOLDERS:
                self.close()
            fd = self._folders[parts] = open_folder(self._root_fd, parts, create=True)
        return fd

    def write(self, cache: Cache, path: str, oid: ObjectId, size: int, *, executable: bool = False) -> os.stat_result:
        """Put the object at `path`, replacing a file or link that is there; returns its stat.

        Raises:
            MissingDataError: the object is not in the cache.
            DataError: `path` is as it was. Kinds `corrupt`: the object is damaged; `bad-metafile`: it is whole, of another size.
            RefusedError: kinds `link-in-path`, `folder-in-path`.
        """
        parts = tuple(path.split("/"))
        folder, name = self.folder(parts[:-1]), parts[-1]
        if (found := cache.size(oid)) != size:
            raise _wrong_size(cache, path, oid, size, found)
        for link in self._links:
            if self._link(link, cache, oid, folder, name, executable):
                return os.stat(name, dir_fd=folder, follow_symlinks=link == "symlink")
        self._copy(cache, oid, size, folder, name, executable)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def write_link(self, path: str, target: str) -> None:
        """Put a symbolic link at `path`."""
        parts = tuple(path.split("/"))
        temporary = self._temporary.name()
        os.symlink(target, temporary)
        self._rename(temporary, self.folder(parts[:-1]), parts[-1])

    def _link(self, link: str, cache: Cache, oid: ObjectId, folder: int, name: str, executable: bool) -> bool:
        if link == "reflink":
            return self._reflink(cache, oid, folder, name, executable)
        if executable:
            return False  # an object's mode is the cache's: an executable file needs bytes of its own
        if not cache.is_whole(oid):  # an edit through the other link leaves no trace in the object's name or size
            raise corrupt_object(oid, moved=cache.set_aside(oid))
        temporary = self._temporary.name()
        try:
            if link == "hardlink":
                os.link(cache.name_of(oid), temporary)
            else:
                os.symlink(cache.name_of(oid), temporary)
        except OSError as error:
            if error.errno in _CANNOT_LINK:
                return False
            raise
        self._rename(temporary, folder, name)
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # rename(2) of two links to one file does nothing and leaves both
        return True

    def _reflink(self, cache: Cache, oid: ObjectId, folder: int, name: str, executable: bool) -> bool:
        temporary = self._temporary.name()
        with cache.open(oid) as source:
            target = os.open(temporary, CREATE_FLAGS, self._mode_of(executable))
            try:
                shared = clone(source.fileno(), target)
            finally:
                os.close(target)
        if shared:
            self._rename(temporary, folder, name)
        else:
            os.unlink(temporary)
            self._links.remove("reflink")
        return shared

    def _copy(self, cache: Cache, oid: ObjectId, size: int, folder: int, name: str, executable: bool) -> None:
        temporary = self._temporary.name()
        with cache.open(oid) as source:
            target = os.open(temporary, CREATE_FLAGS, self._mode_of(executable))
            try:
                whole = _copy_checked(source.fileno(), target, oid, size)
            finally:
                os.close(target)
        if not whole:
            os.unlink(temporary)
            raise corrupt_object(oid, moved=cache.set_aside(oid))
        self._rename(temporary, folder, name)

    def _mode_of(self, executable: bool) -> int:
        return self._mode | (self._mode & 0o444) >> 2 if executable else self._mode

    def _rename(self, temporary: Path, folder: int, name: str) -> None:
        if self.guard is not None:
            self.guard(folder, name)
        try:
            if self._rename_inside:
                self._move_inside(temporary, folder, name)
            else:
                os.rename(temporary, name, dst_dir_fd=folder)
        except OSError as error:
            if error.errno == errno.EXDEV and not self._rename_inside:
                self._rename_inside = True
                return self._rename(temporary, folder, name)
            if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
                hint = "move it away, then run the command again"
                raise RefusedError(
                    f"{display(name)} is a folder where a file is expected", kind="folder-in-path", hint=hint
                ) from error
            raise

    def _move_inside(self, temporary: Path, folder: int, name: str) -> None:
        """The working tree is on another file system than the git directory: finish under a hidden name beside the file."""
        hidden = hidden_name(name)  # the same after a kill: the next checkout takes it over
        with suppress(FileNotFoundError):
            os.unlink(hidden, dir_fd=folder)
        try:
            _copy_beside(temporary, folder, hidden)
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(hidden, dir_fd=folder)
            raise
        os.unlink(temporary)


def _copy_beside(temporary: Path, folder: int, hidden: str) -> None:
    info = os.lstat(temporary)
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(temporary), hidden, dir_fd=folder)
        return
    with open(temporary, "rb", buffering=0) as source:
        target = os.open(hidden, CREATE_FLAGS, stat.S_IMODE(info.st_mode), dir_fd=folder)
        try:
            while data := source.read(CHUNK):
                write_all(target, data)
        finally:
            os.close(target)


def _wrong_size(cache: Cache, path: str, oid: ObjectId, size: int, found: int | None) -> DataError:
    """Either the object is damaged, or whoever named its size was wrong: only its bytes can tell."""
    if found is None:
        return missing_object(oid)
    if not cache.is_whole(oid):
        return corrupt_object(oid, moved=cache.set_aside(oid))
    hint = "take the metafile back from git (`git log -p` shows who changed it), or make it anew with `gitmlog add`"
    message = f"{display(path)}: its metafile or tree says {size} bytes, the object has {found}"
    return DataError(message, kind="bad-metafile", hint=hint)


def _copy_checked(source: int, target: int, oid: ObjectId, size: int) -> bool:
    """Copy `source` to `target`; whether the bytes were those of `oid`."""
    hasher = new_hasher(threads=size > CHUNK)
    buffer = memoryview(bytearray(min(CHUNK, size + 1)))
    while count := os.readv(source, [buffer]):
        hasher.update(buffer[:count])
        write_all(target, buffer[:count])
    return hasher.hexdigest() == oid


@contextmanager
def target(root: Path, temporary: Session, links: Sequence[str], umask: int) -> Iterator[Target]:
    """Open the folder `root` for writing."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    opened = Target(fd, temporary, links, umask)
    try:
        yield opened
    finally:
        opened.close()
        os.close(fd)
