"""A folder for files being written; what a killed process left in one is removed by the next process."""

from __future__ import annotations

import fcntl
import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OWNER = "owner"


class Session:
    """Fresh names in a temporary folder that belongs to this process alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = f"{folder}{os.sep}"
        self._numbers = itertools.count()

    def name(self) -> Path:
        """A path that nobody else uses. Safe to call from any thread."""
        return Path(self.fresh_name())

    def fresh_name(self) -> str:
        """`name` as a string."""
        return f"{self._prefix}{next(self._numbers)}"


@contextmanager
def session(parent: Path) -> Iterator[Session]:
    """A temporary folder below `parent`, locked while it is in use and removed at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    clean_sessions(parent)
    folder, fd = _own_folder(parent)
    try:
        yield Session(folder)
    finally:
        _remove(folder)
        os.close(fd)


def _own_folder(parent: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor that locks it. Between making the owner file and locking it, it looks abandoned."""
    while True:
        folder = parent / secrets.token_hex(8)
        folder.mkdir()
        try:
            fd = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return folder, fd
        os.close(fd)  # another process took it for a dead one's, and removed it


def _remove(folder: Path) -> None:
    """The owner file goes last: whoever is killed on the way leaves a folder that says that it is abandoned."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _OWNER:
                with suppress(OSError):
                    os.unlink(entry.path)
    shutil.rmtree(folder, ignore_errors=True)


def clean_sessions(parent: Path) -> int:
    """Remove the folders of processes that are gone; returns how many.

    A folder whose owner file is not there yet may belong to a process that is just starting: it is left alone for a minute.
    """
    return sum(_remove_if_stale(Path(entry.path)) for entry in _folders(parent))


def _folders(parent: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(parent) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _remove_if_stale(folder: Path) -> bool:
    """The lock is held while the folder goes, so that nobody takes it over meanwhile."""
    try:
        fd = os.open(folder / _OWNER, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _remove_ownerless(folder)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _remove_ownerless(folder: Path) -> bool:
    import time

    try:
        stale = time.time() - folder.stat().st_mtime > 60
    except FileNotFoundError:
        return False
    if stale:
        shutil.rmtree(folder, ignore_errors=True)
    return stale
