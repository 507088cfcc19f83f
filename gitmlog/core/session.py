"""A folder for files being written; what a killed process left in one is removed by the next process."""

from __future__ import annotations

import fcntl
import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitmlog.core.locks import is_free

_OWNER = "owner"


class Session:
    """Fresh names in a temporary folder that belongs to this process alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()

    def name(self) -> Path:
        """A path that nobody else uses. Safe to call from any thread."""
        return self.folder / str(next(self._numbers))


@contextmanager
def session(parent: Path) -> Iterator[Session]:
    """A temporary folder below `parent`, locked while it is in use and removed at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    clean_sessions(parent)
    folder = parent / secrets.token_hex(8)
    folder.mkdir()
    fd = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield Session(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(fd)


def clean_sessions(parent: Path) -> int:
    """Remove the folders of processes that are gone; returns how many.

    A folder whose owner file is not there yet may belong to a process that is just starting: it is left alone for a minute.
    """
    stale = [entry for entry in _folders(parent) if _is_stale(Path(entry.path))]
    for entry in stale:
        shutil.rmtree(entry.path, ignore_errors=True)
    return len(stale)


def _folders(parent: Path) -> list[os.DirEntry[str]]:
    try:
        return [entry for entry in os.scandir(parent) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _is_stale(folder: Path) -> bool:
    import time

    owner = folder / _OWNER
    if owner.exists():
        return is_free(owner)
    try:
        return time.time() - folder.stat().st_mtime > 60
    except FileNotFoundError:
        return False
